"""show: a saved plan says what plan said, offline, whatever somebody wrote into the file since."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from staging import Stage
from test_documents import check
from worlds import held, receipt, spec, stored, token, tombstone, world

from reconciler.commands.renderings import of_plan
from reconciler.commands.saved import read, sealed
from reconciler.core.planner import make_plan
from reconciler.core.tokens import Unread, UserId
from reconciler.errors import PlanMismatch
from reconciler.reports.json import detailed, dumps, plan_document
from reconciler.reports.style import Detail, Style

EVIL = "x\x1b[31m\n::error::y\u202e\u009b2J|`<b>--> @all #1\n# heading"
ELSEWHERE: Any = (None, 10**40, EVIL, "2026-99-99T00:00:00Z", [EVIL])


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """A world with nearly every kind of change."""
    stage.tokens_file("name: old", "{name: safe, protect: true}", "{name: c, expires_in: 365}", "name: d")
    stage.run("apply", "--yes")
    stage.pass_time(days=70)
    for number in range(9):
        stage.emulator.issue(stage.bot, f"by hand {number}", days=number + 1)
    stage.tokens_file(
        "{name: c, expires_in: 30}", "name: new", "{name: x, user: nobody}", "{name: d, protect: true}",
        "{name: old, state: absent, reason: enough}",
    )  # fmt: skip
    return stage


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.parametrize("more", [(), ("-v",), ("--color", "always")])
def test_show_prints_what_plan_printed_without_any_network(
    busy: Stage, monkeypatch: pytest.MonkeyPatch, form: str, more: tuple[str, ...]
) -> None:
    planned = busy.run("plan", "--out", "plan.json", "--format", form, *more)
    asked = len(busy.emulator.requests)
    monkeypatch.delenv("NB_PAT")
    Path("tokens.yaml").unlink()
    shown = busy.run("show", "plan.json", "--format", form, *more, "--report", "json=again.json")
    assert (shown.code, shown.out, shown.err) == (0, planned.out, "")
    assert len(busy.emulator.requests) == asked
    assert Path("again.json").read_text("utf-8") == Path("plan.json").read_text("utf-8")


def test_only_a_saved_plan_says_how_long_it_is_valid(busy: Stage) -> None:
    assert "valid until" not in busy.run("plan").out
    ran = busy.run("plan", "--out", "plan.json")
    assert "valid until" in ran.out
    assert "netbird-tokens apply plan.json" in ran.err


def test_an_altered_plan_is_shown_and_said_to_be_altered(busy: Stage) -> None:
    busy.run("plan", "--out", "plan.json")
    document = json.loads(Path("plan.json").read_text("utf-8"))
    for change in document["changes"]:
        change["name"] = EVIL
    Path("plan.json").write_text(json.dumps(document), "utf-8")
    for form in ("text", "json", "markdown"):
        ran = busy.run("show", "plan.json", "--format", form, "-v")
        assert ran.code == 6
        assert "was altered" in ran.err
        is_harmless(ran.out, form)


NO_PLANS = ("", "{}", "[]", "null", "tokens: []", "{" * 99_999, '{"format": "netbird-tokens/plan"}', "\udcff")


@pytest.mark.parametrize("text", NO_PLANS)
def test_what_is_no_plan_is_refused(stage: Stage, text: str) -> None:
    Path("p.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    ran = stage.run("show", "p.json")
    assert ran.code == 6
    assert "p.json is" in ran.err
    assert "run plan again" in ran.err


def test_plans_of_other_minor_versions_can_be_shown_of_another_major_not(busy: Stage) -> None:
    busy.run("plan", "--out", "plan.json")
    document = json.loads(Path("plan.json").read_text("utf-8"))
    check(document, "plan.v1")
    before = deepcopy(document)
    for change in before["changes"]:
        del change["places"], change["old"]
        for facts in filter(None, (change["before"], change["after"])):
            del facts["created_by"], facts["creator"]
    check(before, "plan.v1")
    summary = {**document["summary"], EVIL: 1}
    later: Any = {**document, "format_version": "1.99", "new": EVIL, "summary": summary}
    for other, code in ((before, 6), (sealed(later), 0)):  # what names no places proves nothing
        Path("other.json").write_text(json.dumps(other), "utf-8")
        for form in ("text", "markdown"):
            ran = busy.run("show", "other.json", "--format", form)
            assert ran.code == code
            assert "by hand" in ran.out
            is_harmless(ran.out, form)
    Path("other.json").write_text(json.dumps({**document, "format_version": "2.0"}), "utf-8")
    assert busy.run("show", "other.json").code == 6


def everything() -> dict[str, Any]:
    """A plan with every action in it, made of nothing but data."""
    kept, old, due, gone = (token(f"t{n}", name) for n, name in enumerate(("kept", "old", "due", "gone")))
    due = replace(due, last_used=due.created_at)
    young = token("t9", "kept", age={"days": 3})
    guarded = token("t7", "guarded")
    inventory = held(old, due, gone, guarded)
    entries = {
        **inventory.entries,
        "platform/kept": stored(receipt(young, predecessors=(receipt(kept).token,))),
        "platform/guarded": stored(receipt(guarded, protect=True)),
    }
    found = make_plan(
        world(
            [spec("kept"), spec("due", rotation=1), spec("new"), spec("lost", user=UserId("other"))],
            [kept, young, old, due, gone, guarded, token("t8", "by hand")],
            replace(inventory, entries=entries),
            tombstones=(tombstone("old"),),
            live={UserId("other"): Unread("it is dark")},
        )
    )
    return json.loads(dumps(detailed(plan_document(found))))  # type: ignore[no-any-return]


def paths(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in members:
        yield from paths(value, (*path, key))


def test_no_edit_of_a_plan_does_harm(tmp_path: Path) -> None:
    """Every value of a plan is replaced by each of several others, one at a time."""
    document = everything()
    one_of_each = {change["action"]: change for change in document["changes"]}
    assert one_of_each.keys() >= {
        "create", "renew", "revoke", "keep", "wait", "blocked", "unmanaged",
    }  # fmt: skip
    document["changes"] = list(one_of_each.values())
    shown = refused = 0
    for path in list(paths(document))[1:]:
        for value in ELSEWHERE:
            file = tmp_path / f"{shown + refused}.json"  # writing over one file waits for the disk
            file.write_text(json.dumps(edited(document, path, value)), "utf-8")
            try:
                found = read(file)
            except PlanMismatch:
                refused += 1
                continue
            shown += 1
            for form, render in of_plan(found, lambda found=found: found, saved=True).items():
                is_harmless(render(Style(detail=Detail.FULL)), form)
    assert shown > 300
    assert refused > 300


def edited(document: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(document))
    part: Any = whole
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return whole


def is_harmless(text: str, form: str) -> None:
    """Nothing that steers a terminal, a pipeline or a comment."""
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    assert "\n::error" not in text
    if form == "markdown":
        assert "<b>" not in text
        assert "@all" not in text
        assert "\n# heading" not in text
        assert text.count("-->") <= 1



@pytest.mark.parametrize("argv", ["show {}", "apply {} --yes", "plan --live {}"])
def test_what_is_no_file_of_ours_is_not_read_to_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, argv: str
) -> None:
    """A device gives bytes for ever, and a pipe none."""
    stage.tokens_file("name: a")
    os.mkfifo("pipe")
    Path("large").write_bytes(b" " * 101)
    monkeypatch.setattr("reconciler.commands.saved.MAX_BYTES", 100)
    for path, why in (("/dev/zero", "regular file"), ("pipe", "regular file"), ("large", "larger than")):
        ran = stage.run(*argv.format(path).split())
        assert (ran.code, stage.writes()) == (3, [])
        assert f"{path} is" in ran.err
        assert why in ran.err
