"""Everything that machines read fits its schema, and the same world gives the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from staging import Stage

from reconciler.cli.automation import SCHEMAS
from reconciler.core.drift import DriftClass
from reconciler.source.schema import schema_text


def check(document: object, name: str) -> None:
    jsonschema.Draft7Validator(json.loads(schema_text(name))).validate(document)


@pytest.mark.parametrize("name", [f"{name}.v1" for name in SCHEMAS])
def test_schemas_are_draft_7_and_printed(stage: Stage, name: str) -> None:
    jsonschema.Draft7Validator.check_schema(json.loads(schema_text(name)))
    assert stage.run("schema", name.removesuffix(".v1")).out == schema_text(name)


def test_plans_and_reports_fit_their_schemas(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, protect: true}", "{name: c, user: nobody}")
    for step in range(4):
        ran = stage.run("plan", "--format", "json", "--out", "plan.json")
        check(json.loads(ran.out), "plan.v1")
        saved = Path("plan.json").read_text(encoding="utf-8")
        check(json.loads(saved), "plan.v1")
        report = stage.run("apply", "--yes", "--format", "json", "--report", "json=r.json")
        if report.out.startswith('{\n  "format": "netbird-tokens/report"'):
            check(json.loads(report.out), "report.v1")
        check_views(stage)
        stage.pass_time(days=3)
        if step == 1:
            stage.emulator.issue(stage.bot, "by hand", days=9)
            stage.tokens_file("{name: b, rotation: 1}", "{name: gone, state: absent, reason: x}")
        if step == 2:
            stage.pass_time(days=80)
    check_views(stage)


def check_views(stage: Stage) -> None:
    """What else there is as JSON."""
    (used, *_) = (token.id for token in stage.emulator.tokens(stage.us))
    for command, name in (
        ("status", "plan"), ("drift", "drift"), ("list", "tokens"), ("list --user-id ci-bot", "tokens"),
        (f"inspect {used}", "tokens"),
    ):  # fmt: skip
        document = json.loads(stage.run(*command.split(), "--format", "json").out)
        assert document["format"] == f"netbird-tokens/{name}"
        check(document, f"{name}.v1")


def test_what_schemas_share_is_the_same() -> None:
    plan, report, drift = (json.loads(schema_text(f"{name}.v1")) for name in ("plan", "report", "drift"))
    change = drift["definitions"]["change"]
    assert change["properties"].pop("class")["enum"] == [each.value for each in DriftClass]
    change["required"].remove("class")
    for name in ("facts", "change"):
        assert plan["definitions"][name] == report["definitions"][name] == drift["definitions"][name]


def test_a_commands_format_is_one_that_its_help_offers(stage: Stage) -> None:
    stage.tokens_file("name: a")
    (own,) = stage.emulator.tokens(stage.us)
    for command in ("plan", "drift", "status", "list", f"inspect {own.id}"):
        assert "[text|json|markdown]" in stage.run(command.split()[0], "--help").out
        for form in ("text", "json", "markdown"):
            ran = stage.run(*command.split(), "--format", form)
            assert ran.code in (0, 2)
            assert ran.out
    for command in ("import", "validate", "doctor", "init", "unlock", "revoke", "create"):
        assert "--format" not in stage.run(command, "--help").out


def test_plan_twice_is_byte_identical(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b", "{name: c, user: current}")
    stage.clock.freeze()
    first = stage.run("plan", "--format", "json").out
    assert stage.run("plan", "--format", "json").out == first
    stage.run("apply", "--yes")
    second = stage.run("plan", "--format", "json").out
    assert stage.run("plan", "--format", "json").out == second
    assert second != first


def test_fields_name_what_differs(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 90}")
    stage.run("apply", "--yes")
    stage.tokens_file("{name: a, expires_in: 30}")
    document = json.loads(stage.run("plan", "--format", "json").out)
    (change,) = [c for c in document["changes"] if c["action"] == "renew"]
    assert {"path": "days", "before": 90, "after": 30} in change["fields"]
    assert change["reason"]["code"] == "lifetime-changed"


def test_hostile_names_stay_harmless(stage: Stage) -> None:
    evil = "x\x1b[31m\n::error::y\u202e|`<b>@all"
    stage.emulator.issue(stage.bot, evil, days=3)
    stage.tokens_file("name: a")
    text = stage.run("plan").out
    assert "\x1b" not in text
    assert "\n::error" not in text
    assert "\u202e" not in text
    comment = stage.run("plan", "--format", "markdown").out
    assert "<b>" not in comment
    assert "@all" not in comment
    assert "\n::error" not in comment
