"""Plans and drift for people at a terminal. This text may change in any release; JSON may not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reconciler.core.reasons import Cause
from reconciler.reports import layout
from reconciler.reports.document import Change, Guard, Plan, moment
from reconciler.reports.escape import terminal
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
    particulars,
    reason,
    unread,
)
from reconciler.reports.style import Detail, Style

WIDTH: Final = 100
"""Where the width of the terminal is not known."""
_COLOURS: Final = {"+": "32", "+/-": "33", "-": "31", "~": "36", "!": "35", "?": "33", "*": "36"}
_ID: Final = 19
"""So much of a digest tells two of them apart; `-v` shows all of it, `--format json` does, too."""


def plan(found: Plan, style: Style, *, saved: bool = False) -> str:
    """A whole plan: whom it is for, each change with its reason, the guards, the sum.

    A saved one says how long it may be applied.
    """
    blocks = [_header(found, style), *gaps(found, style), *_groups(found, style)]
    blocks.extend(_averted(found, style))
    blocks.extend(_stop(guard, style) for guard in found["guards"] if guard["result"] == "stop")
    blocks.append("\n".join(_sum(found, style, saved=saved)))
    return "\n\n".join(blocks) + "\n"


def _header(found: Plan, style: Style) -> str:
    live = found["live"]
    parts = [f"{live['ours']} ours by receipt"]
    if live["others"]:
        parts.append(f"{live['others']} in receipts of other sets")
    parts.append(f"{live['unmanaged']} in no receipt")
    target = terminal(found["target"]["management_url"])
    lines = [f"{terminal(found['set'])}  →  {target}", f"live tokens: {', '.join(parts)}"]
    lines += [line for each in basis(found) for line in hanging(terminal(each), style)]
    return "\n".join(lines)


def gaps(found: Plan, style: Style) -> list[str]:
    """The block that says what could not be read; none if all could."""
    lines = [
        line
        for what, why in unread(found)
        for line in hanging(f"  {terminal(what)}: {terminal(why)}", style)
    ]
    title = "Could not look; nothing is done on their account"
    return ["\n".join([style.paint("1;31", title), *lines])] if lines else []


def _groups(found: Plan, style: Style) -> Iterator[str]:
    full = style.detail is Detail.FULL
    shown = [change for change in found["changes"] if full or change["action"] != "keep"]
    now = moment(found["as_of"])
    told = [(_title(change), change) for change in shown]
    return _blocks(told, lambda change: details(change, now), found, style)


def _title(change: Change) -> str:
    if change["action"] == "keep":
        return GROUPS[""]
    if "caused" in change:
        return CAUSED if change["caused"] else GROUPS[Cause.LIFECYCLE.value]
    return GROUPS[change["reason"]["cause"]]


def _averted(found: Plan, style: Style) -> Iterator[str]:
    """What the commit without the change would do, and this plan does not."""
    lines = [f"  {SYMBOLS[action]:<3} {terminal(text)}" for action, text in averted(found)]
    if lines:
        yield "\n".join([style.paint("1", AVERTED), *lines])


def drift(found: Sequence[tuple[str, Change]], plan: Plan, style: Style) -> str:
    """What differs out of band, a block per class."""
    now = moment(plan["as_of"])
    parts = gaps(plan, style)
    parts.extend(_blocks(found, lambda change: particulars(change, now), plan, style))
    count = f"{len(found)} difference{'' if len(found) == 1 else 's'}"
    counsel = f"{count}. `netbird-tokens plan` says what apply would do about it."
    return "\n\n".join([*parts, counsel if found else "No drift."]) + "\n"


def _blocks(
    told: Sequence[tuple[str, Change]],
    more: Callable[[Change], list[str]],
    found: Plan,
    style: Style,
) -> Iterator[str]:
    """The changes under their titles, in the order of `GROUPS`, then of the alphabet; all blocks share
    one column of labels. `more` gives what follows the reason.
    """
    labels, titles = Labels(found), {id(change): title for title, change in told}
    changes = [change for _, change in told]
    items = list(changes if style.detail is Detail.FULL else gathered(changes))
    names = [terminal(each.label if isinstance(each, Crowd) else labels.of(each)) for each in items]
    column = layout.column(names, (style.width or WIDTH) // 3)
    room = (style.width or WIDTH) - column - 9
    lines: dict[str, list[str]] = {
        title: [] for title in (CAUSED, *GROUPS.values(), *sorted(titles.values()))
    }
    for each, name in zip(items, names, strict=True):
        if isinstance(each, Crowd):
            whose, body = each.members[0], [each.pieces[:1], each.pieces[1:]]
        else:
            whose, body = each, [reason(each, found["errors"]), more(each)]
        rows = [row for pieces in body for row in layout.flowed(map(terminal, pieces), room)]
        first, *rest = layout.beside(name, rows, column)
        lines[titles[id(whose)]] += [
            f"  {_mark(whose, style)} {first}",
            *(f"      {row}" for row in rest),
        ]
    for title, rows in lines.items():
        if rows:
            yield "\n".join([style.paint("1", title), *rows])


def _mark(change: Change, style: Style) -> str:
    symbol = SYMBOLS[change["action"]]
    return style.paint(_COLOURS.get(symbol, ""), f"{symbol:<3}")


def _stop(guard: Guard, style: Style) -> str:
    title = style.paint("1;31", f"Stopped by guard {terminal(guard['id'])}")
    hint = (
        f"  {terminal(guard['hint'])}"  # flags to be copied: the terminal may break it, we must not
    )
    return "\n".join([title, *hanging(f"  {terminal(guard['text'])}", style), hint])


def _sum(found: Plan, style: Style, *, saved: bool) -> Iterator[str]:
    effects = any(found["summary"][action] for action in EFFECTS)
    idle = not effects and found["complete"]
    said = f"{'Nothing to do' if idle else 'Plan'}: {counted(found['summary'])}."
    yield from layout.wrapped(said, style.width or WIDTH)
    if effects:
        yield f"Guards: {terminal(guards(found))}."
    if not found["complete"]:
        yield "Incomplete: what could not be read is named above."
    yield from _ids(found, style, saved=saved)
    blocked = {c["reason"]["code"] for c in found["changes"] if c["action"] == "blocked"}
    if blocked:
        codes = " ".join(map(terminal, sorted(blocked)))
        yield f"Why blocked, and what to do: netbird-tokens explain {codes}"


def _ids(found: Plan, style: Style, *, saved: bool) -> list[str]:
    change, whole = terminal(found["change_id"]), terminal(found["plan_id"])
    until = f"valid until {moment(found['valid_until']):%Y-%m-%d %H:%M} UTC" if saved else ""
    if style.detail is Detail.BRIEF:
        change, whole = f"{change[:_ID]}…", f"{whole[:_ID]}…"
    pieces = [f"Change id {change}", f"Plan id {whole}", until]
    return layout.flowed(pieces, style.width or WIDTH)


def hanging(text: str, style: Style) -> list[str]:
    """Lines of the width, those after the first four columns in."""
    first, *rest = layout.wrapped(text, (style.width or WIDTH) - 4)
    return [first, *(f"    {line}" for line in rest)]
