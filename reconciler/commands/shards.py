"""shards, report merge: a saved plan among several jobs, and their reports as one."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from reconciler.commands import saved
from reconciler.commands.desk import Desk
from reconciler.commands.hooks import Whose, everybody
from reconciler.commands.output import Output, publish
from reconciler.commands.renderings import of_run
from reconciler.commands.saved import Saved
from reconciler.core.shards import Shard, number_of
from reconciler.errors import ExitCode, UsageError
from reconciler.reports.document import Plan
from reconciler.reports.ending import Part, Report
from reconciler.reports.lines import EFFECTS
from reconciler.reports.merge import Mismatch, merged

_WRITTEN: Final = re.compile(r"(auto|[1-9][0-9]{0,3})/([1-9][0-9]{0,3})")
_NAME: Final = "name files that `apply --report json=FILE` wrote"
_PLACES: Final = (("CI_NODE_INDEX", 1), ("JOB_COMPLETION_INDEX", 0))
"""Where GitLab and Kubernetes say which of several jobs this is, and from which number they count."""


def shard_of(written: str, env: Mapping[str, str]) -> Shard:
    """`2/4`, or `auto/4` in a job that is told its number. Raises UsageError."""
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise UsageError(f"--shard: {written!r} is not like 2/4 or auto/4")
    count = int(match[2])
    index = _told(env) if match[1] == "auto" else int(match[1])
    if not 1 <= index <= count:
        raise UsageError(f"--shard: there is no part {index} of {count}")
    return Shard(index, count)


def _told(env: Mapping[str, str]) -> int:
    for name, first in _PLACES:
        if re.fullmatch("[0-9]{1,4}", env.get(name, "")):
            return int(env[name]) - first + 1
    raise UsageError(
        "--shard: neither CI_NODE_INDEX nor JOB_COMPLETION_INDEX says which part this job is",
        hint="write it, as in --shard 2/4",
    )


def shards(desk: Desk, path: Path, count: int, *, as_json: bool) -> ExitCode:
    """The parts of a saved plan that have anything to do."""
    work = _work(saved.read(path), count)
    parts = [{"shard": str(Shard(index, count)), "changes": work[index]} for index in sorted(work)]
    if as_json:
        desk.show(json.dumps({"include": parts}, separators=(",", ":")))
    else:
        for part in parts:
            desk.show(f"{part['shard']}  {part['changes']} changes")
    return ExitCode.OK


def part_of(plan: Plan, shard: Shard) -> Part:
    """What the report of a part says of it."""
    working = [str(Shard(index, shard.count)) for index in sorted(_work(plan, shard.count))]
    return {"shard": str(shard), "working": working, "plan": plan.get("digest", "")}


def ours(kept: Saved | None, shard: Shard | None) -> Whose:
    """For whom a run, or this part of one, calls the hooks that earlier ones left to call."""
    if kept is None or shard is None:
        return everybody
    working = _work(kept.plan, shard.count).keys()
    return lambda user: shard.calls(user, working)


def _work(plan: Plan, count: int) -> Counter[int]:
    effects = [change for change in plan["changes"] if change["action"] in EFFECTS]
    whole = any(change["action"] == "register" for change in effects)
    return Counter(1 if whole else number_of(change["user"]["id"], count) for change in effects)


def merge(desk: Desk, output: Output, paths: Sequence[Path]) -> ExitCode:
    """The reports of all parts as the report of one run; its exit code is the worst of theirs."""
    output.check()
    try:
        found = merged([_report(path) for path in paths])
    except Mismatch as mismatch:
        raise UsageError(f"these are not parts of one run: {mismatch}") from None
    renderers = of_run(found, output.place, datetime.now(UTC))
    return publish(desk, renderers, output, ExitCode(found["exit"]["code"]))


def _report(path: Path) -> Report:
    found = cast("Report", saved.kept(path, "report", _NAME))
    if found["exit"]["code"] not in list(ExitCode):
        raise saved.unreadable(path, "report", _NAME)
    return found
