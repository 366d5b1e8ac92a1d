"""snapshot, and plan --live: a plan where there is no credential, of a look that somebody else took."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from staging import SECRET, Stage
from test_documents import check

from reconciler.emulator import Fault, Status

DAMAGED: Any = [
    "", "[]", "{", '{"format": "netbird-tokens/snapshot"}', "[" * 100_000, "\x00",
    '{"format": "netbird-tokens/plan", "format_version": "1.1"}',
]  # fmt: skip


@pytest.fixture
def taken(stage: Stage) -> Stage:
    """Tokens in sync, one that falls due, one by hand; and a snapshot of it all."""
    stage.tokens_file("name: a", "{name: b, expires_in: 30}", "{name: c, protect: true}")
    assert stage.run("apply", "--yes").code == 0
    stage.emulator.issue(stage.bot, "by hand", days=9)
    stage.pass_time(days=25)
    assert stage.run("snapshot", "--out", "snapshot.json").code == 0
    return stage


def plans(stage: Stage, *argv: str) -> dict[str, Any]:
    ran = stage.run("plan", "--format", "json", *argv)
    assert ran.code == 0, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    for moment in ("as_of", "valid_until", "planned_at"):
        document.pop(moment, None)  # clocks tick
    return document


def test_a_plan_from_it_is_the_plan_of_the_account(taken: Stage) -> None:
    live, past = plans(taken), plans(taken, "--live", "snapshot.json")
    assert past.pop("snapshot") is True
    assert past == live
    assert {change["action"] for change in live["changes"]} >= {"renew", "keep", "unmanaged"}


def test_it_needs_no_credential_no_network_and_no_sink(
    taken: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plans(taken, "--live", "snapshot.json")
    monkeypatch.delenv("NB_PAT")
    monkeypatch.setenv("NB_MANAGEMENT_URL", "https://nowhere.invalid")
    shutil.rmtree("secrets")
    asked = len(taken.emulator.requests)
    assert plans(taken, "--live", "snapshot.json") == before
    assert len(taken.emulator.requests) == asked


def test_a_changed_file_is_planned_with_users_that_it_never_named(taken: Stage) -> None:
    taken.emulator.add_user("deployer", role="user", service_user=True)
    taken.run("snapshot", "--out", "snapshot.json")
    taken.tokens_file("name: a", "{name: new, user: deployer}", "{name: lost, user: nobody}")
    ran = taken.run("plan", "--live", "snapshot.json", "--format", "json")
    found = {change["name"]: change["action"] for change in json.loads(ran.out)["changes"]}
    assert (found["new"], found["lost"], found["b"], found["c"]) == ("create", "blocked", "revoke", "blocked")
    assert ran.code == 1  # nobody could look at the tokens of a user that is not there


def test_what_the_snapshot_does_not_show_is_unread_and_not_absent(taken: Stage) -> None:
    document = json.loads(Path("snapshot.json").read_text("utf-8"))
    del document["live"][taken.bot]
    Path("snapshot.json").write_text(json.dumps(document), "utf-8")
    ran = taken.run("plan", "--live", "snapshot.json", "--format", "json")
    assert ran.code == 1
    assert {change["action"] for change in json.loads(ran.out)["changes"]} == {"blocked"}


def test_a_sink_of_the_config_that_it_does_not_show_is_unread(taken: Stage) -> None:
    taken.config("sinks: {local: {type: file, path: secrets}, new: {type: file, path: more}}\n")
    taken.tokens_file("{name: fresh, sinks: [new]}")
    ran = taken.run("plan", "--live", "snapshot.json")
    assert ran.code == 1
    assert "sink new" in ran.out
    assert "1 create" not in ran.out


def test_an_unread_list_is_unread_in_it_too(taken: Stage) -> None:
    taken.emulator.faults.add(Fault(Status(500, "no"), "GET", f"/api/users/{taken.bot}/tokens", times=None))
    ran = taken.run("snapshot", "--out", "snapshot.json")
    assert (ran.code, "incomplete" in ran.err) == (1, True)
    document = json.loads(Path("snapshot.json").read_text("utf-8"))
    assert document["complete"] is False
    assert set(document["live"][taken.bot]) == {"unread"}
    assert "Could not look" in taken.run("plan", "--live", "snapshot.json").out


def test_it_says_how_old_it_is_and_is_not_applied(taken: Stage) -> None:
    ran = taken.run("plan", "--live", "snapshot.json", "--out", "plan.json")
    assert "from a snapshot of " in ran.out
    assert "a snapshot that is " in ran.err
    assert "apply plan.json" not in ran.err
    refused = taken.run("apply", "plan.json")
    assert refused.code == 6
    assert "made from a snapshot" in refused.err
    assert "from a snapshot of " in taken.run("show", "plan.json", "--format", "markdown").out


def test_its_age_is_in_the_plan_and_in_no_id(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("snapshot", "--out", "snapshot.json")
    found = json.loads(Path("snapshot.json").read_text("utf-8"))
    ids = set()
    for taken, said in (
        (timedelta(hours=-3), "3 hours old"),
        (timedelta(seconds=-5), "a moment old"),
        (timedelta(seconds=5), "a moment old"),  # of two clocks one is always a little off
        (timedelta(days=2, hours=1), "2 days ahead of this machine's clock: the clocks differ"),
    ):
        found["as_of"] = (datetime.now(UTC) + taken).isoformat().replace("+00:00", "Z")
        Path("snapshot.json").write_text(json.dumps(found), "utf-8")
        ran = stage.run("plan", "--live", "snapshot.json", "--out", "plan.json")
        shown = stage.run("show", "plan.json", "--format", "markdown").out
        assert said in ran.err
        assert f" UTC, {said}" in " ".join(ran.out.split())
        assert f" UTC, {said}" in shown.replace("&#8203;", "")
        document = json.loads(Path("plan.json").read_text("utf-8"))
        check(document, "plan.v1")
        ids.add((document["plan_id"], document["change_id"]))
    assert len(ids) == 1


def test_a_change_approved_on_a_snapshot_is_applied_to_the_account(taken: Stage) -> None:
    taken.tokens_file("name: a", "{name: b, expires_in: 30}", "{name: c, protect: true}", "name: new")
    approved = plans(taken, "--live", "snapshot.json")["change_id"]
    assert taken.run("apply", "--approved-change", approved).code == 0
    assert "new" in taken.live()


def test_it_fits_its_schema_and_holds_nothing_that_helps_a_thief(taken: Stage) -> None:
    text = Path("snapshot.json").read_text("utf-8")
    check(json.loads(text), "snapshot.v1")
    assert json.loads(taken.run("snapshot").out).keys() == json.loads(text).keys()
    assert not SECRET.search(text)
    for receipt in Path("secrets/platform").glob(".*.json"):
        assert json.loads(receipt.read_text("utf-8"))["fingerprint"] not in text


def test_a_plan_from_it_needs_no_sign_in_of_any_sink_and_runs_no_program(
    taken: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sink there is, as in the examples: none is built, so nothing of its surroundings is asked for."""
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    for file in sorted((Path(__file__).parents[1] / "examples" / "sinks").glob("*.yaml")):
        shutil.copy(file, ".netbird-tokens.yaml")
        first = next(iter(yaml.safe_load(file.read_text("utf-8"))["sinks"]))
        taken.tokens_file(f"{{name: a, sinks: [{first}]}}")
        ran = taken.run("plan", "--live", "snapshot.json")
        unseen = f"sink {first}: the snapshot does not show it" in ran.out
        assert (ran.code, unseen) == (1, first != "local"), (file.name, ran)


def test_one_of_another_server_or_set_is_planned_from_and_told(taken: Stage) -> None:
    taken.config("management_url: https://other.example.com\n")
    ran = taken.run("plan", "--live", "snapshot.json")
    assert "https://other.example.com" in ran.err
    assert f"a snapshot of {taken.url}" in ran.err
    taken.config(f"management_url: {taken.url}/\n")
    assert "other" not in taken.run("plan", "--live", "snapshot.json").err
    document = json.loads(Path("snapshot.json").read_text("utf-8"))
    newer = {**document, "set": "mine", "format_version": "1.99", "new": 1}
    Path("snapshot.json").write_text(json.dumps(newer), "utf-8")
    assert "of the set 'mine'" in taken.run("plan", "--live", "snapshot.json").err


def test_people_are_not_named_in_it(taken: Stage) -> None:
    taken.emulator.add_user("alice@example.com", role="admin")
    taken.run("snapshot", "--out", "snapshot.json")
    assert "alice" not in Path("snapshot.json").read_text("utf-8")


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_what_is_no_snapshot_is_refused(stage: Stage, text: str) -> None:
    stage.tokens_file("name: a")
    Path("snapshot.json").write_text(text, "utf-8")
    ran = stage.run("plan", "--live", "snapshot.json")
    assert (ran.code, "is no snapshot" in ran.err) == (3, True)
    assert stage.run("plan", "--live", "nothing.json").code == 3


@pytest.mark.parametrize("at", [("as_of",), ("users", 0, "id"), ("target", "principal")])
def test_a_snapshot_altered_by_hand_is_no_traceback(taken: Stage, at: tuple[Any, ...]) -> None:
    document = json.loads(Path("snapshot.json").read_text("utf-8"))
    part = document
    for step in at[:-1]:
        part = part[step]
    part[at[-1]] = "2026-99-99T00:00:00Z"
    Path("snapshot.json").write_text(json.dumps(document), "utf-8")
    assert taken.run("plan", "--live", "snapshot.json").code in (0, 1, 3, 5)
