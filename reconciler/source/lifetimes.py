"""How long a token lives and when it is renewed, from what is written, and what cannot work about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from reconciler.core.spec import ExpiresIn, ExpiresOn, Lifetime, RenewBefore, Schedule
from reconciler.core.timing import window
from reconciler.core.tokens import DAY
from reconciler.source.nodes import Map, Node, Pair, Scalar
from reconciler.source.problems import Problem, Severity, quoted
from reconciler.source.text import Source
from reconciler.source.written import Written

DEFAULT_DAYS: Final = 90
DEFAULT_OVERLAP: Final = 7
_LARGEST_OVERLAP: Final = 3  # in effect an overlap is at most a third of the lifetime


def lifetime(written: Written) -> Lifetime:
    """The lifetime that counts."""
    day = _day(written.value("expires_on", None))
    return ExpiresOn(day) if day else ExpiresIn(written.integer("expires_in", DEFAULT_DAYS))


def renew_before(written: Written) -> RenewBefore | None:
    """The renewal window: `33%` is a share, a number is days, nothing is the default."""
    value = written.value("renew_before", None)
    if isinstance(value, str):
        return Fraction(int(value.removesuffix("%")), 100)
    return value if isinstance(value, int) else None


def both_lifetimes(source: Source, layer: Map) -> Iterator[Problem]:
    """`expires_in` and `expires_on` at one level; `layer` is an entry, or the defaults."""
    found = [layer.pairs[key] for key in ("expires_in", "expires_on") if key in layer.pairs]
    if len(found) > 1:
        first, second = sorted(found, key=_line_and_column)
        message = (
            f"{quoted(second.key.text)} beside {quoted(first.key.text)}"
            f" in line {first.key.span.line}: only one can hold"
        )
        yield source.problem("NB206", second.key.span, message, "remove one of the two")


def lifetime_problems(written: Written, today: date) -> Iterator[Problem]:
    """Everything about time that is wrong with one entry, warnings included."""
    node = written.find("expires_on")
    if isinstance(node, Scalar) and written.sound("expires_on"):
        yield from _last_day(written, node, today)
    elif written.sound("expires_in"):
        yield from _window(written)
        yield from _overlap(written)


def late_run(written: Written, schedule: Schedule) -> Iterator[Problem]:
    """A window that a schedule late by one run would miss."""
    life = lifetime(written)
    if not (
        isinstance(life, ExpiresIn)
        and written.value("renew", otherwise=True) is True
        and written.sound("expires_in")
        and written.sound("renew_before")
    ):
        return
    before = window(life.days * DAY, renew_before(written))
    if before < schedule.slack:
        yield written.problem(
            "NB253",
            _nearest(written, "renew_before", "expires_in"),
            f"renewed {_span(before)} before its end, it would expire if one run is missed:"
            f" runs come every {_span(schedule.every)}",
            "give it a longer expires_in or renew_before, or run more often and say so in the config:"
            " schedule: {every: 1h}",
            Severity.WARNING,
        )


def _span(length: timedelta) -> str:
    hours = int(length / timedelta(hours=1))
    return f"{hours} h" if hours % 24 else f"{hours // 24} d"


def _last_day(written: Written, node: Scalar, today: date) -> Iterator[Problem]:
    day = _day(node.value)
    if day is None:
        yield written.problem(
            "NB210", node, f"there is no day {quoted(node.text)}", "correct the date"
        )
    elif day < today:
        yield written.problem(
            "NB250",
            node,
            f"the last day {day} is past: the token will not be created or renewed",
            "choose a later day, or remove the entry when it is no longer needed",
            Severity.WARNING,
        )


def _window(written: Written) -> Iterator[Problem]:
    window, days = renew_before(written), written.integer("expires_in", DEFAULT_DAYS)
    renews = written.value("renew", otherwise=True)
    if (
        not isinstance(window, int)
        or window < days
        or not renews
        or not written.sound("renew_before")
    ):
        return
    yield written.problem(
        "NB205",
        _nearest(written, "renew_before", "expires_in"),
        f"renewed {_count(window)} before its end, a token of {_count(days)} would be renewed for ever",
        "make renew_before shorter than the lifetime, or a share such as 33%",
    )


def _overlap(written: Written) -> Iterator[Problem]:
    node = written.own.get("overlap")
    overlap = written.integer("overlap", DEFAULT_OVERLAP)
    days = written.integer("expires_in", DEFAULT_DAYS)
    if node is not None and written.sound("overlap") and overlap * _LARGEST_OVERLAP > days:
        yield written.problem(
            "NB251",
            node,
            f"an overlap of {_count(overlap)} is cut to a third of the {_count(days)} that the token lives",
            f"write overlap: {days // _LARGEST_OVERLAP}",
            Severity.WARNING,
        )


def _nearest(written: Written, *fields: str) -> Node:
    """The value to point at: the first field that the entry has itself, else the first inherited one,
    else its name.
    """
    own = (written.own.get(field) for field in fields)
    inherited = (written.inherited.get(field) for field in fields)
    return next((node for node in (*own, *inherited) if node is not None), written.name_node)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _count(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def _line_and_column(pair: Pair) -> tuple[int, int]:
    return pair.key.span.line, pair.key.span.column
