"""Ages and times to go, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from reconciler.core.timing import left
from reconciler.core.tokens import DAY

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


def ago(age: timedelta) -> str:
    """An age in the largest unit that fits, rounded down: `3 days`, `2 hours`, `5 minutes`."""
    for unit, word in ((DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if age >= unit:
            count = age // unit
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "a moment"


def aged(age: timedelta) -> str:
    """How old something is by this machine's clock: `3 days old`; or that two clocks differ."""
    if age < -_MINUTE:
        return f"{ago(-age)} ahead of this machine's clock: the clocks differ, and its age is not known"
    return f"{ago(age)} old"


def since(age: timedelta) -> str:
    """An age for a table, rounded down: `3d ago`."""
    for unit, word in ((DAY, "d"), (_HOUR, "h")):
        if age >= unit:
            return f"{age // unit}{word} ago"
    return f"{max(age, timedelta()) // _MINUTE}m ago"


def remaining(span: timedelta) -> str:
    """A time to go, for a table: `365d`."""
    count, unit = left(span)
    return f"{count}{unit[0]}"
