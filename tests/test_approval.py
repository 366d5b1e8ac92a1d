"""A saved plan and an approved change hold an apply to what was reviewed: exactly that, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from staging import Stage

from reconciler.commands import everyday
from reconciler.commands.asked import NOTHING
from reconciler.commands.desk import Desk
from reconciler.commands.everyday import Consent
from reconciler.commands.output import Output
from reconciler.emulator import Fault, Status
from reconciler.errors import PlanMismatch
from reconciler.wiring import Parts, Where

OTHERWISE = {
    "lifetime": "{name: a, expires_in: 30}",
    "place": "{name: a, expires_in: 7, sinks: [{sink: local, key: somewhere/else}]}",
    "protection": "{name: a, expires_in: 7, protect: true}",
    "rotation": "{name: a, expires_in: 7, rotation: 1}",
    "user": "{name: a, expires_in: 7, user: current}",
    "last day": "{name: a, expires_on: 2099-12-31}",
}


def change_id(stage: Stage) -> str:
    return str(json.loads(stage.run("plan", "--format", "json").out)["change_id"])


@pytest.mark.parametrize("entry", OTHERWISE.values(), ids=OTHERWISE)
def test_a_file_that_asks_for_something_else_is_not_what_was_reviewed(stage: Stage, entry: str) -> None:
    stage.tokens_file("{name: a, expires_in: 7}")
    stage.run("plan", "--out", "plan.json")
    approved = change_id(stage)
    stage.tokens_file(entry)
    assert stage.run("apply", "plan.json").code == 6
    assert stage.run("apply", "--approved-change", approved).code == 6
    assert stage.live() == {}
    stage.tokens_file("{name: a, expires_in: 7}")
    assert stage.run("apply", "plan.json").code == 0
    assert list(stage.live()) == ["a"]


def test_a_new_place_for_a_token_that_lives_needs_an_approval_too(stage: Stage) -> None:
    stage.config("sinks:\n  local: {type: file, path: secrets}\n  other: {type: file, path: other}\n")
    stage.tokens_file("{name: a, sinks: [local]}")
    stage.run("apply", "--yes")
    stage.tokens_file("{name: a, sinks: [local]}", "name: b")
    approved = change_id(stage)
    stage.tokens_file("{name: a, sinks: [local, other]}", "name: b")
    assert stage.run("apply", "--approved-change", approved).code == 6


def test_what_falls_due_between_the_review_and_the_apply_voids_nothing(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 30}")
    stage.run("apply", "--yes")
    stage.pass_time(days=19)
    stage.tokens_file("{name: a, expires_in: 30}", "name: b")
    approved = change_id(stage)
    stage.pass_time(days=2)
    ran = stage.run("apply", "--approved-change", approved)
    assert ran.code == 0
    assert "renewed a" in ran.out
    assert "created b" in ran.out


@pytest.mark.parametrize("yes", [["--yes"], []])
@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_approval_that_got_lost_stops_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, empty: str, yes: list[str]
) -> None:
    """Whichever way it should have come: an empty variable is an output of a job that was not there."""
    stage.tokens_file("name: a")
    flag = stage.run("apply", *yes, "--approved-change", empty)
    monkeypatch.setenv("NETBIRD_TOKENS_APPROVED_CHANGE", empty)
    variable = stage.run("apply", *yes)
    for ran in (flag, variable):
        assert (ran.code, "nothing was approved" in ran.err) == (6, True)
    assert stage.writes() == []


def test_a_part_that_got_lost_is_not_the_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tokens_file("name: a")
    stage.run("plan", "--out", "plan.json")
    monkeypatch.setenv("NETBIRD_TOKENS_SHARD", "")
    assert stage.run("apply", "plan.json").code == 3
    assert stage.writes() == []


def test_a_plan_file_of_no_name_is_refused(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes", "").code == 3
    assert stage.writes() == []


def later(plan: dict[str, Any]) -> None:
    plan["valid_until"] = "2099-01-01T00:00:00Z"


def longer(plan: dict[str, Any]) -> None:
    plan["changes"][1]["after"]["days"] = 365


def calmer(plan: dict[str, Any]) -> None:
    plan["changes"][1]["reason"]["text"] = "nothing to see"


def bare(plan: dict[str, Any]) -> None:
    del plan["digest"]


@pytest.mark.parametrize("edit", [later, longer, calmer, bare])
def test_an_edited_plan_is_not_applied(stage: Stage, edit: Callable[[dict[str, Any]], None]) -> None:
    stage.tokens_file("name: a")
    stage.run("plan", "--out", "plan.json")
    path = stage.folder / "plan.json"
    plan = json.loads(path.read_text("utf-8"))
    edit(plan)
    path.write_text(json.dumps(plan), "utf-8")
    ran = stage.run("apply", "plan.json")
    assert ran.code == 6
    assert "altered" in ran.err
    assert stage.live() == {}


def test_a_secret_is_cleaned_from_both_of_its_places(stage: Stage) -> None:
    stage.config("sinks:\n  local: {type: file, path: secrets}\n  other: {type: file, path: other}\n")
    stage.tokens_file("{name: a, sinks: [local, other]}", "name: b", "name: c")
    stage.run("apply", "--yes")
    (gone,) = stage.live()["a"]
    stage.emulator.forget(gone)
    stage.tokens_file("name: b", "name: c")
    stage.run("plan", "--out", "plan.json")
    assert stage.run("apply", "plan.json").code == 0
    assert not Path("secrets/platform/a").exists()
    assert not Path("other/platform/a").exists()


def test_a_yes_that_comes_late_is_about_the_plan_that_was_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.tokens_file("name: a")
    monkeypatch.setattr(everyday, "_FRESH", -1.0)
    parts = Parts(Where(management_url=stage.url), {"NB_PAT": stage.credential}, now=stage.clock.now)

    def apply(meanwhile: Callable[[], object]) -> int:
        def ask(_question: str) -> bool:
            meanwhile()
            return True

        desk = Desk(StringIO(), StringIO(), interactive=True, ask=ask)
        return everyday.apply(parts, desk, Output(), NOTHING, Consent())

    with pytest.raises(PlanMismatch):
        apply(lambda: stage.run("apply", "--yes"))
    assert len(stage.live()["a"]) == 1
    stage.tokens_file("name: a", "name: b")
    parts = Parts(Where(management_url=stage.url), {"NB_PAT": stage.credential}, now=stage.clock.now)
    assert apply(lambda: None) == 0
    assert len(stage.live()["b"]) == 1


def test_a_plan_that_was_cut_off_is_carried_out_to_its_end_by_the_same_command(stage: Stage) -> None:
    stage.config("sinks:\n  local: {type: file, path: secrets}\n  other: {type: file, path: other}\n")
    stage.tokens_file("name: gone", "name: kept", "name: old", "{name: moved, sinks: [local, other]}")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: kept", "{name: old, rotation: 1}", "{name: moved, sinks: [local]}", "name: z")
    stage.run("plan", "--out", "plan.json")
    refused = Fault(method="POST", path="*/tokens", action=Status(400, "no"), skip=1)
    stage.emulator.faults.add(refused)
    first = stage.run("apply", "plan.json")
    assert first.code == 8, first.out
    assert "picks up where this one stopped" in first.out
    second = stage.run("apply", "plan.json")
    assert second.code == 0, second.err
    assert {name: len(ids) for name, ids in stage.live().items()} == {
        "kept": 1, "old": 2, "moved": 1, "z": 1
    }  # fmt: skip
    assert not Path("other/platform/moved").exists()
    writes = len(stage.writes())
    assert stage.run("apply", "plan.json").code == 0
    assert len(stage.writes()) == writes


def test_what_went_otherwise_meanwhile_makes_a_plan_stale(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    stage.run("plan", "--out", "plan.json")
    stage.run("apply", "plan.json")
    stage.emulator.forget(stage.live()["b"][0])
    again = stage.run("apply", "plan.json")
    assert again.code == 6
    assert "create b (new) is no longer what should be done" in again.err


def test_a_token_that_was_made_otherwise_is_not_what_a_plan_asked_for(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 7}")
    stage.run("plan", "--out", "plan.json")
    stage.tokens_file("{name: a, expires_in: 30}")
    stage.run("apply", "--yes")
    assert stage.run("apply", "plan.json").code == 6


def test_a_token_whose_secret_no_sink_holds_is_not_what_a_plan_asked_for(stage: Stage) -> None:
    stage.tokens_file("name: b")
    stage.run("apply", "--yes")
    stage.tokens_file("name: a", "name: b")
    stage.run("plan", "--out", "plan.json")
    stage.emulator.issue(stage.bot, "a", days=90)
    stage.tokens_file("{name: a, adopt: true}", "name: b")
    assert "2 unchanged" in stage.run("plan").out
    assert stage.run("apply", "plan.json").code == 6


def test_an_approval_that_was_carried_out_in_part_is_asked_for_anew(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    approved = change_id(stage)
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", action=Status(400, "no"), skip=1))
    first = stage.run("apply", "--approved-change", approved)
    assert first.code == 8
    assert "Run plan again" in first.out
    assert "picks up" not in first.out
    report = json.loads(stage.run("apply", "--approved-change", approved, "--format", "json").out)
    assert (report["exit"]["code"], report["exit"]["retry"]) == (6, False)


@pytest.mark.parametrize("entry", [[], ["{name: gone, state: absent, reason: x}"]], ids=["gone", "absent"])
def test_a_renewal_of_what_must_go_voids_no_approval(stage: Stage, entry: list[str]) -> None:
    before = ["name: a", "{name: gone, expires_in: 10}"]
    stage.tokens_file(*before)
    stage.run("apply", "--yes")
    stage.pass_time(days=6)
    stage.tokens_file("name: a", *entry)
    approved = change_id(stage)
    stage.tokens_file(*before)
    assert "renewed gone" in stage.run("renew", "--yes").out
    stage.tokens_file("name: a", *entry)
    assert change_id(stage) == approved
    stage.pass_time(hours=1)
    ran = stage.run("apply", "--approved-change", approved, "--allow-revoke", "gone")
    assert ran.code == 0, ran.err
    assert list(stage.live()) == ["a"]


def test_who_is_condemned_by_name_alone_was_meant_or_is_spared(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: gone, state: absent, reason: x}")
    stage.run("apply", "--yes")
    stage.emulator.issue(stage.bot, "gone")
    stage.pass_time(hours=1)
    approved = change_id(stage)
    stage.emulator.issue(stage.bot, "gone")
    stage.pass_time(hours=1)
    assert stage.run("apply", "--approved-change", approved, "--allow-revoke", "gone").code == 6
    assert len(stage.live()["gone"]) == 2
