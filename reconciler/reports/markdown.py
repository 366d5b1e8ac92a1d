"""Plans, reports and tables as Markdown. Nothing in it can break out of its place, or mention anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reconciler.core.reasons import Cause
from reconciler.reports.document import Change, Guard, Plan, moment
from reconciler.reports.ending import Report, Result, Stopped
from reconciler.reports.escape import code_span, markdown, terminal
from reconciler.reports.lines import (
    AVERTED,
    CAUSED,
    EFFECTS,
    GROUPS,
    SYMBOLS,
    Crowd,
    Labels,
    averted,
    basis,
    counted,
    details,
    gathered,
    guards,
    reason,
    unread,
)

BUDGET: Final = 60_000
"""Characters: comments end at 65,536."""
_FENCE: Final = "~" * 8
"""No line of a problem is made of these alone."""
_ROOM: Final = 500
"""Kept for what stands around a table."""
_MOST_GAPS: Final = 10
_LONGEST: Final = 2_000
"""Of a text that grows with the set, such as a flag for each of a thousand names."""


def plan(found: Plan, *, saved: bool = False) -> str:
    """The plan, removals first, cut to the budget with a word about what was cut."""
    parts = [_marker(found["set"], "plan"), f"### NetBird tokens: {code_span(found['set'])}", ""]
    parts.extend(_plan(found, BUDGET - _length(parts), saved=saved))
    return "\n".join(parts) + "\n"


def report(found: Report) -> str:
    """What became of a run: the sum, why it stopped, each action, what to do; the plan folded away."""
    made = found["plan"]
    name = found.get("set", "")
    of = f" {code_span(name)}" if name else ""
    parts = [_marker(name, found["command"]), f"### NetBird tokens{of}: {found['command']}", ""]
    parts.append(_verdict(found))
    if found["stopped"] is not None:
        parts.extend(_stopped(found["stopped"], BUDGET // 3))
    rows = list(_results(found["results"], Labels(made)))
    parts.extend(_table(("", "Token", "What became of it"), rows, BUDGET // 3))
    if found["exit"]["next"]:
        parts.extend(["", markdown(found["exit"]["next"])])
    if made is not None:
        parts.extend(["", "<details><summary>The plan</summary>", ""])
        room = BUDGET - _length(parts) - _ROOM
        parts.extend([*_plan(made, room, saved=False), "", "</details>"])
    return "\n".join(parts) + "\n"


def drift(found: Plan, shown: str) -> str:
    """What differs out of band, as a comment that a bot finds again."""
    head = [
        _marker(found["set"], "drift"),
        f"### NetBird tokens: {code_span(found['set'])}: drift",
        "",
    ]
    return "\n".join(head) + "\n" + shown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells as their authors wrote them."""
    escaped = [f"| {' | '.join(map(markdown, row))} |" for row in rows]
    return "\n".join(_table(head, escaped, BUDGET - 10 * _ROOM)[1:]) + "\n"


def _marker(name: str, what: str) -> str:
    """By which a bot finds its own comment again."""
    return f"<!-- netbird-tokens:{re.sub('[^a-z0-9-]', '', name)}:{what} -->"


def _plan(found: Plan, budget: int, *, saved: bool) -> list[str]:
    effects = any(found["summary"][action] for action in EFFECTS)
    idle = not effects and found["complete"]
    stops = (guard for guard in found["guards"] if guard["result"] == "stop")
    head = [f"{'Nothing to do: ' if idle else ''}{counted(found['summary'])}."]
    head.extend(f"\n{markdown(each)}" for each in basis(found))
    head.extend(gaps(found))
    head.extend(map(_stop, stops))
    tail = [f"\nGuards: {_cut(guards(found))}."] if effects else []
    until = f", valid until {moment(found['valid_until']):%Y-%m-%d %H:%M} UTC" if saved else ""
    ids = f"Change id {code_span(found['change_id'])}, plan id {code_span(found['plan_id'])}"
    tail.append(f"\n{ids}{until}")
    room = budget - _length(head + tail) - _ROOM
    return [*head, *_tables(found, room), *tail]


def _length(parts: Iterable[str]) -> int:
    return sum(len(part) + 1 for part in parts)


def _tables(found: Plan, room: int) -> Iterator[str]:
    """All changes; of a plan with a base, those that the change causes first."""
    head, changes = ("", "Token", "Why"), found["changes"]
    if "base" not in found:
        yield from _table(head, list(_changes(found, changes)), room)
        return
    caused = list(_changes(found, [each for each in changes if each.get("caused")]))
    due = list(_changes(found, [each for each in changes if not each.get("caused")]))
    gone = [f"| `{SYMBOLS[action]}` | {markdown(text)} |" for action, text in averted(found)]
    yield f"\n**{CAUSED}:**{'' if caused else ' nothing'}"
    yield from _table(head, caused, room // 2)
    if gone:
        yield f"\n**{AVERTED}:**"
        yield from _table(("", "Token"), gone, room // 6)
    if due:
        yield f"\n**{GROUPS[Cause.LIFECYCLE.value]}:**"
        yield from _table(head, due, room // 3)


def gaps(found: Plan) -> Iterator[str]:
    """What could not be read, a paragraph each."""
    every = list(unread(found))
    for what, why in every[:_MOST_GAPS]:
        yield f"\n**Could not look:** {_cut(what)}: {_cut(why)}"
    if rest := len(every[_MOST_GAPS:]):
        yield f"\nand {rest} more that could not be looked at: see the job's log"


def _stop(guard: Guard) -> str:
    said = f"{_cut(guard['text'])}\n{_cut(guard['hint'])}"
    return f"\n**Stopped by {markdown(guard['id'])}:** {said}"


def _cut(text: str) -> str:
    """As Markdown; of what is too long the beginning, and where the rest is."""
    shown = markdown(text)
    while len(shown) > _LONGEST:
        text = text[: len(text) * _LONGEST // (len(shown) + 1)]
        shown = markdown(text)
        if len(shown) <= _LONGEST:
            return f"{shown}… (the job's log has all of it)"
    return shown


def _changes(found: Plan, changes: Iterable[Change]) -> Iterator[str]:
    labels, now = Labels(found), moment(found["as_of"])
    shown = [change for change in changes if change["action"] != "keep"]
    shown.sort(key=lambda change: change["action"] != "revoke")
    for each in gathered(shown):
        if isinstance(each, Crowd):
            yield f"| `?` unmanaged | {each.label} | {markdown('; '.join(each.pieces))} |"
        else:
            why = "; ".join(filter(None, (*reason(each, found["errors"]), *details(each, now))))
            sign = f"`{SYMBOLS[each['action']]}` {each['action']}"
            yield f"| {sign} | {markdown(labels.of(each))} | {markdown(why)} |"


def _results(results: Iterable[Result], labels: Labels) -> Iterator[str]:
    for result in results:
        name = labels.named(result["action"], result["name"], result["user"])
        text = f"{result['status']}: {result['text']}" if result["text"] else result["status"]
        if result["token_id"]:
            text += f"; token {result['token_id']}"
        sign = f"`{SYMBOLS[result['action']]}` {result['action']}"
        yield f"| {sign} | {markdown(name)} | {markdown(text)} |"


def _verdict(found: Report) -> str:
    counts = [f"{count} {status}" for status, count in found["summary"].items() if count]
    if found["stopped"] and not found["summary"]["done"]:
        counts = ["nothing was changed", *counts]
    made = found["plan"]
    if made and (blocked := made["summary"]["blocked"]):
        counts.append(f"{blocked} blocked")
    if made and not made["complete"]:
        counts.append("not everything could be looked at")
    code = found["exit"]["code"]
    meaning = markdown(found["exit"]["meaning"])
    return f"**{', '.join(counts) or 'nothing to do'}** (exit code {code}: {meaning})"


def _stopped(why: Stopped, room: int) -> Iterator[str]:
    """Why the run stopped, with the problems that there is room for."""
    yield f"\n**Stopped:** {_cut(why['message'])}"
    for index, problem in enumerate(why["problems"]):
        shown = "\n".join(["", _FENCE, *map(terminal, problem.splitlines()), _FENCE])
        room -= len(shown) + 1
        if room < 0:
            yield f"\nand {len(why['problems']) - index} more problems: see the job's log"
            break
        yield shown
    if why["hint"]:
        yield f"\nTry: {_cut(why['hint'])}"


def _table(head: Sequence[str], rows: Sequence[str], room: int) -> list[str]:
    """The rows that there is room for, and a word about the others; no table without rows."""
    if not rows:
        return []
    lines = ["", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for index, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            blank = " |" * (len(head) - 2)
            return [*lines, f"| |{blank} and {len(rows) - index} more: see the job's log |"]
        lines.append(row)
    return lines
