"""Plans and outcomes for people at a terminal. This text may change in any release; JSON may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from reconciler.core.changes import Change, Keep, Unmanaged, Wait
from reconciler.core.outcome import Outcome, Result, Status
from reconciler.core.plan import Plan
from reconciler.core.reasons import Cause
from reconciler.core.subjects import action_of, where_of
from reconciler.reports.escape import terminal
from reconciler.reports.lines import SYMBOLS, Labels, details

_GROUPS: Final = {
    Cause.CONFIG: "The file asks for",
    Cause.LIFECYCLE: "Due anyway",
    Cause.DRIFT: "Found out of step",
}
_COLOURS: Final = {"+": "32", "+/-": "33", "-": "31", "~": "36", "!": "35", "?": "33", "*": "36"}
_ALWAYS: Final = ("create", "renew", "revoke")
_SOMETIMES: Final = ("register", "amend", "clean", "blocked", "wait", "unmanaged")
_MARKS: Final = {
    Status.DONE: "✔",
    Status.FAILED: "✘",
    Status.ROLLED_BACK: "✘",
    Status.UNCERTAIN: "?",
    Status.SKIPPED: "–",
}
_DONE: Final = {
    "register": "registered",
    "create": "created",
    "renew": "renewed",
    "amend": "amended",
    "revoke": "revoked",
    "clean": "cleaned",
}


class Detail(Enum):
    """How much of a plan to show."""

    BRIEF = "brief"
    """Everything but tokens that are in order."""
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Style:
    """What the output can show."""

    colour: bool = False
    detail: Detail = Detail.BRIEF

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text


def plan(found: Plan, style: Style) -> str:
    """A whole plan: whom it is for, each change with its reason, the guards, the sum."""
    labels = Labels(found)
    blocks = [_header(found)]
    blocks.extend(_gaps(found, style))
    shown = [c for c in found.changes if style.detail is Detail.FULL or not _is_quiet(c)]
    width = max((len(labels.of(change)) for change in shown), default=0)
    for cause, title in _GROUPS.items():
        group = [change for change in shown if change.why.reason.cause is cause]
        if group:
            lines = [line for c in group for line in _change(c, labels, width, found, style)]
            blocks.append("\n".join([style.paint("1", title), *lines]))
    blocks.extend(_stops(found, style))
    blocks.append(_sum(found))
    return "\n\n".join(blocks) + "\n"


def _is_quiet(change: Change) -> bool:
    return isinstance(change, Keep)


def _header(found: Plan) -> str:
    counts = found.counts
    parts = [f"{counts.ours} ours"]
    if counts.others:
        parts.append(f"{counts.others} of other sets")
    parts.append(f"{counts.unmanaged} unmanaged")
    return f"{found.set}  →  {terminal(found.server)}  ({', '.join(parts)})"


def _gaps(found: Plan, style: Style) -> list[str]:
    if not found.gaps:
        return []
    lines = [f"  {terminal(gap.what)}: {terminal(gap.why)}" for gap in found.gaps]
    title = "Could not look; nothing is done on their account"
    return ["\n".join([style.paint("1;31", title), *lines])]


def _change(change: Change, labels: Labels, width: int, found: Plan, style: Style) -> list[str]:
    symbol = SYMBOLS[type(change)]
    mark = style.paint(_COLOURS.get(symbol, ""), f"{symbol:<3}")
    text = terminal(change.why.text) or change.why.reason.code
    prefix = "" if not isinstance(change, Wait | Unmanaged) else f"{change.token.id}  "
    where = where_of(change)
    origin = f"   {where}" if where else ""
    lines = [f"  {mark} {labels.of(change):<{width}}   {prefix}{text}{origin}"]
    lines.extend(f"  {'':<3} {'':<{width}}   {extra}" for extra in details(change, found.as_of))
    return lines


def _stops(found: Plan, style: Style) -> list[str]:
    blocks = []
    for guard in found.stops:
        title = style.paint("1;31", f"Stopped by guard {guard.id}")
        blocks.append(f"{title}\n  {terminal(guard.text)}\n  {terminal(guard.hint)}")
    return blocks


def _sum(found: Plan) -> str:
    summary = found.summary()
    parts = [f"{summary[action]} {action}" for action in _ALWAYS]
    parts.extend(f"{summary[action]} {action}" for action in _SOMETIMES if summary[action])
    parts.append(f"{summary['keep']} unchanged")
    lines = [f"Plan: {', '.join(parts)}."]
    if not found.effects and found.complete:
        lines[0] = f"Nothing to do. {', '.join(parts[3:])}."
    lines.append(f"Change id {found.change_id[:19]}…   Plan id {found.plan_id[:19]}…")
    return "\n".join(lines)


def result_line(result: Result, labels: Labels, style: Style) -> str:
    """One effect's end, as it happens."""
    change = result.effect
    colour = "32" if result.status is Status.DONE else "31"
    mark = style.paint(colour, _MARKS[result.status])
    did = _DONE[action_of(change)] if result.status is Status.DONE else action_of(change)
    token = f"  {result.token}" if result.token else ""
    text = f"  {result.status}: {terminal(result.text)}" if result.text else ""
    return f"{mark} {did} {labels.of(change)}{token}{text}"


def outcome(done: Outcome, labels: Labels, style: Style) -> str:
    """The sum of a run, what it left behind, and what to do next."""
    counts = [f"{done.count(status)} {status}" for status in Status if done.count(status)]
    lines = [f"Applied: {', '.join(counts) or 'nothing to do'}."]
    lines.extend(_left(done.results, labels))
    if not done.ok:
        lines.append("Run the same command again: it picks up where this one stopped.")
    return style.paint("1", lines[0]) + "".join(f"\n{line}" for line in lines[1:]) + "\n"


def _left(results: Sequence[Result], labels: Labels) -> Iterable[str]:
    for result in results:
        if result.status is Status.UNCERTAIN:
            yield f"  left: {labels.of(result.effect)} {result.token or '(id not known)'}"
