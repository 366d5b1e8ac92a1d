"""Commands that only look: on a server that fails on anything but GET, they work, and twice is the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from staging import Stage
from test_base import commit, git

from reconciler.emulator import Fault, Status

LOOKS = (
    "plan", "plan -v", "plan --format json", "plan --format markdown", "plan --base HEAD --format json",
    "plan --live snapshot.json --format json", "drift", "drift --blame --format json", "status",
    "list --user-id ci-bot", "import --user-id ci-bot", "snapshot", "show plan.json",
)  # fmt: skip


@pytest.fixture
def looked_at(stage: Stage) -> Stage:
    """Something of everything: in order, due, new, to go, somebody else's; and no write gets through."""
    git("init", "-q", "-b", "main")
    Path(".gitignore").write_text("secrets/\n", "utf-8")
    stage.tokens_file("name: a", "{name: b, expires_in: 30}", "name: gone", "name: stays", "name: too")
    commit("tokens")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(days=25)
    stage.emulator.issue(stage.bot, "by hand", days=9)
    stage.tokens_file("name: a", "{name: b, expires_in: 30}", "name: stays", "name: too", "name: new")
    assert stage.run("snapshot", "--out", "snapshot.json").code == 0
    assert stage.run("plan", "--out", "plan.json").code == 0
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        stage.emulator.faults.add(Fault(Status(403, "reads only"), method, "*", times=None))
    stage.emulator.requests.clear()
    stage.clock.freeze()
    return stage


@pytest.mark.parametrize("command", LOOKS)
def test_it_needs_nothing_but_get_and_says_the_same_again(looked_at: Stage, command: str) -> None:
    files = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if ".git" not in path.parts}
    first, again = (looked_at.run(*command.split()) for _ in range(2))
    assert first.code in (0, 2), first.err
    assert (untimed(again.out), again.code) == (untimed(first.out), first.code)
    assert looked_at.writes() == []
    after = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if ".git" not in path.parts}
    assert after == files


def untimed(shown: str) -> str:
    """Without the moment, by this machine's clock, at which a plan of the past was made."""
    return re.sub(r'"planned_at": "[^"]*"', "", shown)


def test_saved_plans_and_snapshots_of_one_look_are_the_same_bytes(looked_at: Stage) -> None:
    for number in ("1", "2"):
        assert looked_at.run("plan", "--out", f"plan-{number}.json").code == 0
        assert looked_at.run("snapshot", "--out", f"look-{number}.json").code == 0
    for name in ("plan", "look"):
        assert Path(f"{name}-1.json").read_bytes() == Path(f"{name}-2.json").read_bytes()
