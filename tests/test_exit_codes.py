"""The table of exit codes, each reached from outside."""

from __future__ import annotations

import json
import re

import pytest
from staging import Stage

from reconciler.emulator import Drop, Fault, Status
from reconciler.locks import Holder
from reconciler.locks.file import FileLock


def test_0_help_and_version(stage: Stage) -> None:
    assert stage.run().code == 0
    assert stage.run("version").code == 0


def test_1_incomplete_view(stage: Stage) -> None:
    stage.tokens_file("{name: a, user: nobody}")
    ran = stage.run("plan")
    assert ran.code == 1
    assert "nobody" in ran.out


def test_2_differences(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert stage.run("plan").code == 0
    assert stage.run("plan", "--detailed-exitcode").code == 2
    stage.run("apply", "--yes")
    assert stage.run("plan", "--detailed-exitcode").code == 0
    assert stage.run("drift").code == 0
    stage.emulator.issue(stage.bot, "by hand", days=3)
    assert stage.run("drift").code == 2


FLAGS = ("plan -f", "plan --out", "plan --live", "apply", "show", "list --token-file")


@pytest.mark.parametrize("argv", FLAGS)
def test_an_empty_path_is_not_the_working_directory(stage: Stage, argv: str) -> None:
    stage.tokens_file("name: a")
    ran = stage.run(*argv.split(), "")
    assert (ran.code, ran.out) == (3, "")
    assert "it is empty; name a path" in ran.err


def test_3_usage_and_input(stage: Stage) -> None:
    assert stage.run("plan").code == 3
    stage.tokens_file("{name: a, expries_in: 3}")
    ran = stage.run("validate")
    assert ran.code == 3
    assert 'did you mean "expires_in"?' in ran.err
    stage.tokens_file("name: a")
    ran = stage.run("apply")
    assert ran.code == 3
    assert "--yes" in ran.err
    assert stage.live() == {}
    assert stage.run("no-such-command").code == 3


def test_4_authentication(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tokens_file("name: a")
    (token,) = stage.emulator.tokens(stage.us)
    stage.emulator.forget(token.id)
    assert stage.run("plan").code == 4
    monkeypatch.delenv("NB_PAT")
    assert stage.run("plan").code == 4


def test_4_where_every_token_is_denied_however_often(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    denied = Status(403, "permission denied")
    stage.emulator.faults.add(Fault(denied, "POST", "*/tokens", times=None))
    assert stage.run("apply", "--yes").code == 4  # the sink was registered
    assert stage.run("apply", "--yes").code == 4


def test_5_guards(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(6)))
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: t0", "name: t1")
    ran = stage.run("apply", "--yes")
    assert ran.code == 5
    assert re.search(r"--allow-revoke '?t2'?", ran.err)
    assert len(stage.live()) == 6
    named = [word for n in range(2, 6) for word in ("--allow-revoke", f"t{n}")]
    assert stage.run("apply", "--yes", *named).code == 0
    assert sorted(stage.live()) == ["t0", "t1"]


def test_6_stale_tampered_and_unapproved_plans(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("plan", "--out", "plan.json")
    path = stage.folder / "plan.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["changes"][1]["name"] = "evil"
    (stage.folder / "altered.json").write_text(json.dumps(document), encoding="utf-8")
    assert stage.run("apply", "altered.json").code == 6
    assert stage.run("apply", "--approved-change", "sha256:0").code == 6
    assert stage.live() == {}
    assert stage.run("apply", "plan.json").code == 0
    assert stage.run("apply", "plan.json").code == 0  # all of it is so
    stage.emulator.forget(stage.live()["a"][0])
    assert stage.run("apply", "plan.json").code == 6
    stage.pass_time(days=2)
    assert stage.run("apply", "plan.json").code == 6


def test_7_lock_held(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config("lock: {type: file, path: run.lock}\n")
    other = FileLock(stage.folder / "run.lock")
    other.take(Holder("id", "apply", who="somebody@else"))
    ran = stage.run("apply", "--yes")
    assert ran.code == 7
    assert "somebody@else" in ran.err
    other.give_back()
    assert stage.run("apply", "--yes").code == 0


def test_8_partial(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    fault = Fault(method="POST", path="*/tokens", when="before", action=Status(422, "no"))
    stage.emulator.faults.add(fault)
    assert stage.run("apply", "--yes").code == 8
    assert len(stage.live()) == 1
    assert stage.run("apply", "--yes").code == 0
    assert len(stage.live()) == 2


def test_9_uncertain(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", when="after", action=Drop()))
    ran = stage.run("apply", "--yes")
    assert ran.code == 9
    assert "Run the same command again" in ran.out


def test_10_hook(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config("hooks: {deploy: [['false']]}\n")
    assert stage.run("apply", "--yes").code == 10
    assert stage.run("apply", "--yes").code == 10
    stage.config("hooks: {deploy: [['true']]}\n")
    assert stage.run("apply", "--yes").code == 0
