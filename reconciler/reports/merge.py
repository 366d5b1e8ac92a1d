"""Several reports of one plan, each of a part of it, as the report of one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.errors import ExitCode
from reconciler.reports.document import Change, Plan
from reconciler.reports.ending import Part, Report, Stopped
from reconciler.reports.exits import EXITS

_WORST: Final = (
    ExitCode.UNCERTAIN,
    ExitCode.ROLLED_BACK,
    ExitCode.HOOK,
    ExitCode.TERMINATED,
    ExitCode.INTERRUPTED,
    ExitCode.AUTH,
    ExitCode.STOPPED,
    ExitCode.STALE,
    ExitCode.USAGE,
    ExitCode.LOCKED,
    ExitCode.ERROR,
    ExitCode.DIFFERENCES,
    ExitCode.OK,
)
"""What comes first is what the whole has ended with (DESIGN §7)."""


_DIGEST: Final = 19
"""So much of a digest tells two of them apart."""


class Mismatch(ValueError):
    """Reports of different runs. Says how they differ."""


def merged(reports: Sequence[Report]) -> Report:
    """One report of all results; whatever any part could not see or do, the whole did not.

    Raises:
        Mismatch: They are of different commands, sets, accounts, saved plans or versions of the format;
            or not of one part each.
    """
    first = reports[0]
    for other in reports[1:]:
        _check(first, other)
    missing = _missing([report.get("part") for report in reports])
    codes = {ExitCode(report["exit"]["code"]) for report in reports}
    codes |= {ExitCode.ERROR} if missing else set()
    code = next(each for each in _WORST if each in codes)
    said = EXITS[code]
    whole: Report = {
        **first,
        "set": next((found for r in reports if (found := r.get("set", ""))), ""),
        "exit": {
            "code": int(code),
            "meaning": said.meaning,
            "retry": said.retry,
            "next": said.next,
        },
        "stopped": next((r["stopped"] for r in reports if r["stopped"]), _unknown(missing)),
        "interrupted": any(report["interrupted"] for report in reports),
        "summary": {
            status: sum(report["summary"].get(status, 0) for report in reports)
            for status in first["summary"]
        },
        "results": [result for report in reports for result in report["results"]],
        "plan": _plan([report["plan"] for report in reports if report["plan"]], missing),
    }
    whole.pop("part", None)
    return whole


def _missing(parts: Sequence[Part | None]) -> list[str]:
    """The parts that had something to do, and left no report. Raises Mismatch."""
    known = [part["shard"] for part in parts if part]
    if len(known) < len(parts) > 1:
        raise Mismatch("one is of a whole run, not of a part (`apply PLAN --shard I/N`)")
    _one_plan([part for part in parts if part])
    for shard in known:
        if known.count(shard) > 1:
            raise Mismatch(f"part {shard} is here twice; leave out the report of its earlier run")
        if shard.partition("/")[2] != known[0].partition("/")[2]:
            raise Mismatch(f"part {known[0]} here and part {shard} there")
    working = dict.fromkeys(each for part in parts if part for each in part["working"])
    return [shard for shard in working if shard not in known]


def _one_plan(parts: Sequence[Part]) -> None:
    """Raises Mismatch: a report that an earlier run left would stand for a part that has not run."""
    plans = {part["plan"]: part["shard"] for part in parts if part["plan"]}
    if len(plans) > 1:
        (one, here), (other, there), *_ = plans.items()
        raise Mismatch(
            f"part {here} is of the plan {one[:_DIGEST]}… and part {there} of {other[:_DIGEST]}…; "
            "leave out the reports of earlier runs"
        )


def _unknown(missing: Sequence[str]) -> Stopped | None:
    if not missing:
        return None
    return {
        "kind": "missing-part",
        "message": f"there is no report of {' and '.join(missing)}: what was done there is not known",
        "hint": "look at that job, and run plan; whatever it left undone, the next apply does",
        "problems": [],
    }


def _check(one: Report, other: Report) -> None:
    for what, a, b in (
        ("format_version", one["format_version"], other["format_version"]),
        ("command", one["command"], other["command"]),
        ("set", _whose(one), _whose(other)),
    ):
        if a != b and None not in (a, b):
            raise Mismatch(f"{what} is {a} here and {b} there")


def _whose(report: Report) -> tuple[str, str, str] | None:
    plan = report["plan"]
    if plan is None:
        return None
    return plan["set"], plan["target"]["management_url"], plan["target"]["principal"]


def _plan(plans: Sequence[Plan], missing: Sequence[str]) -> Plan | None:
    """Every change that some part saw, once. Ids are those of the first part: no part has the whole's."""
    if not plans:
        return None
    changes: dict[tuple[str, ...], Change] = {}
    for plan in plans:
        for change in plan["changes"]:
            changes.setdefault(_key(change), change)
    gaps = {(gap["what"], gap["why"]): gap for plan in plans for gap in plan["errors"]}
    for shard in missing:
        gaps[shard, ""] = {"what": f"part {shard}", "why": "there is no report of it"}
    counted = [change["action"] for change in changes.values()]
    return {
        **plans[0],
        "complete": all(plan["complete"] for plan in plans) and not missing,
        "errors": list(gaps.values()),
        "summary": {action: counted.count(action) for action in plans[0]["summary"]},
        "changes": list(changes.values()),
    }


def _key(change: Change) -> tuple[str, ...]:
    user = change["user"]["id"]
    return change["action"], user, change["name"], change["reason"]["code"], *change["tokens"]
