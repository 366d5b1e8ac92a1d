"""A plan as a Markdown comment. Nothing in it can break out of its place, or mention anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.core.changes import Change, Keep, Revoke
from reconciler.core.plan import Plan
from reconciler.core.subjects import action_of
from reconciler.reports.escape import markdown
from reconciler.reports.lines import SYMBOLS, Labels, details

BUDGET: Final = 60_000
"""Characters: comments end at 65,536."""


def plan(found: Plan) -> str:
    """The plan, removals first, cut to the budget with a word about what was cut."""
    labels = Labels(found)
    shown = [change for change in found.changes if not isinstance(change, Keep)]
    shown.sort(key=lambda change: not isinstance(change, Revoke))
    parts = [f"<!-- netbird-tokens:{found.set}:plan -->", f"### NetBird tokens: `{found.set}`", ""]
    summary = found.summary()
    parts.append(
        ", ".join(f"{n} {action}" for action, n in summary.items() if n) or "nothing to do"
    )
    parts.extend(f"\n**Could not look:** {markdown(g.what)}: {markdown(g.why)}" for g in found.gaps)
    parts.extend(f"\n**Stopped by {g.id}:** {markdown(g.text)}" for g in found.stops)
    if shown:
        parts.extend(["", "| | Token | Why |", "|---|---|---|"])
        parts.extend(_rows(shown, labels, found, BUDGET - sum(map(len, parts)) - 500))
    parts.append(f"\nChange id `{found.change_id}`")
    return "\n".join(parts) + "\n"


def _rows(shown: Sequence[Change], labels: Labels, found: Plan, room: int) -> list[str]:
    rows: list[str] = []
    for index, change in enumerate(shown):
        extra = "; ".join(details(change, found.as_of))
        why = markdown("; ".join(filter(None, (change.why.text, extra))))
        symbol = SYMBOLS[type(change)]
        row = f"| `{symbol}` {action_of(change)} | {markdown(labels.of(change))} | {why} |"
        room -= len(row) + 1
        if room < 0:
            return [*rows, f"| | and {len(shown) - index} more | see the job's log |"]
        rows.append(row)
    return rows
