"""explain: every code that a person may meet, in one place."""

from __future__ import annotations

import pytest
from staging import Stage
from worlds import held, spec, token, world

from reconciler.commands.words import GUARDS
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.errors import ExitCode
from reconciler.source.codes import CODES


def test_without_a_code_it_lists_all_of_them_in_groups(stage: Stage) -> None:
    text = stage.run("explain").out
    groups = text.split("\n\n")
    assert [group.splitlines()[0] for group in groups] == [
        "Exit codes",
        "Reasons in a plan: the file asks for",
        "Reasons in a plan: due anyway",
        "Reasons in a plan: found out of step",
        "Guards",
        "Problems of any file",
        "Problems of token files",
        "`netbird-tokens explain CODE` says more about each.",
    ]
    listed = {line.split()[0] for line in text.splitlines() if line.startswith("  ")}
    known = {reason.code for reason in Reason} | {str(int(code)) for code in ExitCode}
    assert known | GUARDS.keys() | CODES.keys() <= listed
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: str(int(code)))
def test_an_exit_code_gets_a_paragraph(stage: Stage, code: ExitCode) -> None:
    text = " ".join(stage.run("explain", str(int(code))).out.split())
    assert len(text) > 150
    assert "retry" in text.lower()


def test_several_codes_at_once_and_a_wrong_one(stage: Stage) -> None:
    ran = stage.run("explain", "protected", "max_revokes")
    assert "--allow-revoke" in ran.out.split("max_revokes:")[1]
    assert "did you mean 'protected'?" in stage.run("explain", "protectd").err
    assert stage.run("explain", "due", "nonsense-xyz").code == 3


def test_every_guard_has_its_paragraph() -> None:
    (alive,) = tokens = (token("t1", "a"),)
    plan = make_plan(world([spec("a")], tokens, held(alive)))
    assert {guard.id for guard in plan.guards} == GUARDS.keys()
