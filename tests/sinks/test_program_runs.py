"""The command with encrypted files, on a branch and in a folder, and with a program that keeps tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from boxes import SOMEBODY
from sealing import PATH, Branch, Key, Tool, git, needed, quick
from staging import SECRET, Stage, command
from test_exec_contract import COMMANDS, Kept

KEY = "platform/terraform"


@dataclass
class Store:
    """A configured sink, and how a consumer reads a key."""

    config: str
    value: Callable[[str], str | None]


@pytest.fixture
def consumer(tmp_path: Path) -> Key:
    needed("age", "age-keygen")
    return Key.made(tmp_path / "key.txt")


@pytest.fixture
def pushed(stage: Stage, tmp_path: Path, consumer: Key) -> Branch:
    """The stage is a checkout."""
    for name in ("like", "git"):
        (tmp_path / name).mkdir()
    branch = Branch(tmp_path / "git", Tool("age", consumer), Branch.begun(tmp_path / "like"))
    git("clone", "--quiet", branch.remote, stage.folder)
    return branch


@pytest.fixture(params=["age, pushed", "sops", "exec"])
def store(request: pytest.FixtureRequest, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Store:
    match request.param:
        case "exec":
            monkeypatch.setenv("PATH", quick(stage.folder.parent))
            kept = Kept(stage.folder)
            return Store(f"type: exec, command: [{COMMANDS / 'keeper'}]", kept.value)
        case "sops":
            needed("sops")
            monkeypatch.setenv("PATH", PATH)
            tool = Tool("sops", request.getfixturevalue("consumer"))

            def value(key: str) -> str | None:
                file = stage.folder / "tokens" / f"{key}.sops.yaml"
                return tool.decrypt(file.read_text()) if file.exists() else None

            return Store(f"type: sops, path: tokens, recipients: [{tool.key.public}]", value)
        case _:
            branch: Branch = request.getfixturevalue("pushed")
            public = branch.tool.key.public
            said = f"type: age, path: secrets, recipients: [{public}], git: {{push: true}}"
            return Store(said, branch.value)


def test_a_plan_says_that_a_file_is_for_others_than_the_config_names(
    stage: Stage, consumer: Key
) -> None:
    stage.config(f"sinks: {{files: {{type: age, path: x, recipients: [{consumer.public}]}}}}\n")
    stage.tokens_file("{name: terraform, sinks: [files]}")
    assert stage.run("apply", "--yes").code == 0
    assert "other readers" not in stage.run("plan").err
    stage.config(f"sinks: {{files: {{type: age, path: x, recipients: [{SOMEBODY}]}}}}\n")
    told = f"sink files: until its renewal, what is at {KEY} is for other readers than the config names"
    for argv in (["plan"], ["drift"], ["apply", "--yes"]):
        ran = stage.run(*argv)
        assert ran.code == 0, ran
        assert told in " ".join(ran.err.split())
    assert stage.run("rotate", "terraform", "--reason", "reader left", "--yes").code == 0
    assert "other readers" not in stage.run("plan").err


def test_from_the_first_plan_to_the_last_removal(stage: Stage, store: Store) -> None:
    stage.config(f"sinks:\n  kept: {{{store.config}}}\nhooks: {{deploy: [['true']]}}\n")
    stage.tokens_file("{name: terraform, sinks: [kept]}")
    assert f"kept:{KEY}" in stage.run("plan").out
    assert store.value(KEY) is None
    assert stage.run("apply", "--yes").code == 0
    first = store.value(KEY)
    assert first is not None
    assert SECRET.fullmatch(first)
    assert "Nothing to do" in stage.run("apply", "--yes").out
    assert stage.run("rotate", "terraform", "--reason", "drill", "--yes").code == 0
    second = store.value(KEY)
    assert second != first
    stage.pass_time(days=10)
    assert stage.run("apply", "--yes").code == 0  # the first token has had its overlap
    assert len(stage.live()["terraform"]) == 1
    stage.tokens_file("{name: terraform, state: absent, reason: done}")
    assert stage.run("apply", "--yes").code == 0
    assert store.value(KEY) is None
    assert not {first, second} & set(SECRET.findall("".join(stage.said)))


def test_doctor_proves_it_and_leaves_nothing_behind(stage: Stage, store: Store) -> None:
    stage.config(f"sinks:\n  kept: {{{store.config}}}\n")
    stage.tokens_file("{name: terraform, sinks: [kept]}")
    ran = stage.run("doctor")
    assert ran.code == 0, ran
    assert "sink kept: can be read and written" in ran.out
    assert store.value("platform/preflight") is None


@pytest.fixture
def kept(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("PATH", quick(stage.folder.parent))
    stage.config(f"sinks:\n  kept: {{type: exec, command: [{COMMANDS / 'keeper'}]}}\n")
    stage.tokens_file("{name: terraform, sinks: [kept]}")
    return Kept(stage.folder)


def test_a_program_that_refuses_costs_the_new_token_and_tells_nothing(stage: Stage, kept: Kept) -> None:
    with kept.mood("put tells plain"):
        ran = stage.run("apply", "--yes")
    assert (ran.code, stage.live()) == (8, {})
    assert "nbp_" not in ran.out + ran.err
    assert "it holds a part of the secret" in " ".join((ran.out + ran.err).split())


def test_a_program_that_says_nothing_leaves_the_token_to_the_next_run(stage: Stage, kept: Kept) -> None:
    with kept.mood("put silence"):
        assert stage.run("apply", "--yes").code == 9
    assert len(stage.live()["terraform"]) == 1
    assert stage.run("apply", "--yes").code == 0
    assert SECRET.fullmatch(kept.value(KEY) or "")


def test_a_program_that_cannot_look_stops_everything(stage: Stage, kept: Kept) -> None:
    with kept.mood("list exits 69"):
        assert stage.run("apply", "--yes").code == 1
    assert stage.live() == {}


def push_config(stage: Stage, pushed: Branch, *names: str) -> None:
    sink = f"type: age, path: secrets, recipients: [{pushed.tool.key.public}], git: {{push: true}}"
    stage.config(f"sinks:\n  kept: {{{sink}}}\n")
    stage.tokens_file(*(f"{{name: {name}, sinks: [kept]}}" for name in names))


def test_many_tokens_of_one_run_all_get_through(stage: Stage, pushed: Branch) -> None:
    names = [f"t{number}" for number in range(12)]
    push_config(stage, pushed, *names)
    ran = stage.run("apply", "--yes")
    assert ran.code == 0, ran.out + ran.err
    values = {pushed.value(f"platform/{name}") for name in names}
    assert len(values) == len(names)
    assert all(SECRET.fullmatch(value or "") for value in values)


def test_a_branch_that_takes_no_push_costs_the_new_token(stage: Stage, pushed: Branch) -> None:
    push_config(stage, pushed, "ci")
    stage.run("apply", "--yes")
    push_config(stage, pushed, "ci", "terraform")
    with pushed.hooked("pre-receive", "echo 'protected branch' >&2; exit 1"):
        ran = stage.run("apply", "--yes")
    assert ran.code == 8
    assert set(stage.live()) == {"ci"}


@pytest.mark.parametrize(("hook", "is_stored"), [("pre-receive", False), ("post-receive", True)])
def test_a_run_that_dies_in_its_push(
    stage: Stage, pushed: Branch, hook: str, *, is_stored: bool
) -> None:
    push_config(stage, pushed, "ci")
    stage.run("apply", "--yes")
    push_config(stage, pushed, "ci", "terraform")
    pid = stage.folder.parent / "pid"
    with pushed.hooked(hook, f"kill -9 $(cat {pid})\n[ {hook} = post-receive ]"):
        run = command(stage, "apply", "--yes")
        pid.write_text(str(run.pid))
        run.communicate()
    assert run.returncode == -9
    assert (pushed.value(KEY) is not None) == is_stored
    assert len(stage.live()["terraform"]) == 1
    assert stage.run("apply", "--yes").code == 0
    assert SECRET.fullmatch(pushed.value(KEY) or "")
    assert len(stage.live()["terraform"]) == (1 if is_stored else 2)  # an orphan waits for its overlap


def test_of_two_runs_at_once_one_token_stays(stage: Stage, pushed: Branch) -> None:
    push_config(stage, pushed, "ci")
    stage.run("apply", "--yes")
    push_config(stage, pushed, "ci", "terraform")
    runs = [command(stage, "apply", "--yes") for _ in range(2)]
    said = [run.communicate()[0] for run in runs]
    assert {run.returncode for run in runs} <= {0, 8}, said
    assert 0 in {run.returncode for run in runs}
    assert len(stage.live()["terraform"]) == 1
    assert "Nothing to do" in stage.run("apply", "--yes").out


def test_a_secret_key_where_the_public_one_belongs_is_refused_and_not_shown(stage: Stage) -> None:
    key = "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2
    stage.tokens_file("name: a")
    stage.config(f"sinks:\n  local:\n    type: age\n    path: secrets\n    recipients: [{key}]\n")
    ran = stage.run("validate")
    assert ran.code == 3
    assert "never the secret one" in ran.err
    assert key[16:30] not in ran.err + ran.out
