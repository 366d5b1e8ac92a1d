"""When things are due: windows, jitter, last days, overlaps. Every instant is the server's, in UTC."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Final

from reconciler.core.receipts import SetName
from reconciler.core.spec import ExpiresIn, ExpiresOn, Lifetime, RenewBefore, TokenSpec
from reconciler.core.tokens import DAY, MAX_DAYS, LiveToken

_DST: Final = timedelta(hours=1)
"""The server adds calendar days in its own time zone: an hour more than n days at most (§6)."""

_SHORT_LIFE: Final = timedelta(days=10, hours=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)
_SPREAD: Final = 10
"""The jitter is at most a tenth of the window, and of the life before it."""


def end_of(lifetime: ExpiresOn) -> datetime:
    """The first instant after the last day."""
    if lifetime.day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return datetime.combine(lifetime.day, time(), tzinfo=UTC) + DAY


def days_to_ask(lifetime: Lifetime, now: datetime) -> int | None:
    """The whole days to mint a token for now; None when not even one day is left."""
    match lifetime:
        case ExpiresIn(days):
            return days
        case ExpiresOn():
            days = (end_of(lifetime) - now - _DST) // DAY
            return min(days, MAX_DAYS) if days >= 1 else None


def window(lifetime: timedelta, renew_before: RenewBefore | None) -> timedelta:
    """How long before its end a token of this lifetime is renewed, jitter not counted."""
    if isinstance(renew_before, int):
        return min(renew_before * DAY, lifetime)
    if renew_before is None:
        renew_before = Fraction(1, 2) if lifetime <= _SHORT_LIFE else Fraction(1, 3)
    whole = lifetime // _TICK * renew_before.numerator // renew_before.denominator
    return timedelta(microseconds=whole)


def jitter(set_name: SetName, name: str, room: timedelta) -> timedelta:
    """A share of a tenth of `room` that set and name alone decide, in whole seconds."""
    digest = hashlib.sha256(f"{set_name}/{name}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32
    return timedelta(seconds=int(room.total_seconds() / _SPREAD * share))


def renews_at(spec: TokenSpec, token: LiveToken, now: datetime) -> datetime | None:
    """When the renewal of this token falls (or fell) due; None if it never will."""
    if not spec.renew:
        return None
    lifetime = token.expires_at - token.created_at
    before = window(lifetime, spec.renew_before)
    due = token.expires_at - before
    due -= jitter(spec.set, spec.name, min(before, max(lifetime - before, timedelta())))
    match spec.lifetime:
        case ExpiresIn():
            return due
        case ExpiresOn():
            return due if _can_grow(spec.lifetime, token, max(due, now)) else None


def _can_grow(lifetime: ExpiresOn, token: LiveToken, at: datetime) -> bool:
    """Whether a token minted then would live at least a day longer than this one."""
    days = days_to_ask(lifetime, at)
    return days is not None and token.expires_at - at <= (days - 1) * DAY


def overlap(spec: TokenSpec, successor: LiveToken) -> timedelta:
    """How long a predecessor stays beside its successor: at most a third of the lifetime."""
    third = (successor.expires_at - successor.created_at) / 3
    return max(
        min(spec.overlap_days * DAY, third), timedelta()
    )  # a hand-made row may end before it began


def left(span: timedelta) -> tuple[int, str]:
    """A time to go, as a count of units: rounded to the nearest `day`; below two days to the `hour`,
    below two hours to the `minute`. So a token just made for 365 days has 365 days.
    """
    for unit, word in ((DAY, "day"), (_HOUR, "hour")):
        if span >= 2 * unit:
            return round(span / unit), word
    return round(max(span, timedelta()) / _MINUTE), "minute"
