"""The words and signs that all reports share: symbols, labels, ages, what a change does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.changes import (
    Amend,
    Blocked,
    Change,
    Clean,
    Create,
    Keep,
    Register,
    Renew,
    Revoke,
    Target,
    Unmanaged,
    Wait,
)
from reconciler.core.plan import Plan
from reconciler.core.receipts import Address
from reconciler.core.subjects import name_of, user_of
from reconciler.core.timing import overlap
from reconciler.core.tokens import DAY
from reconciler.reports.escape import terminal

SYMBOLS: Final[dict[type[Change], str]] = {
    Register: "*",
    Create: "+",
    Renew: "+/-",
    Amend: "~",
    Revoke: "-",
    Clean: "-",
    Blocked: "!",
    Wait: "…",
    Unmanaged: "?",
    Keep: "=",
}
_RECENT: Final = timedelta(days=7)
_HOUR: Final = timedelta(hours=1)


class Labels:
    """What to call each change: its name, with the user where the name alone is not unique."""

    def __init__(self, plan: Plan) -> None:
        self._users = plan.users
        addresses = {Address(user_of(c), name_of(c)) for c in plan.changes}
        self._count = Counter(address.name for address in addresses)

    def of(self, change: Change) -> str:
        name, user = name_of(change), user_of(change)
        if isinstance(change, Register):
            return f"sink {terminal(name)}"
        if self._count[name] < 2:  # noqa: PLR2004 - unique
            return terminal(name)
        return f"{terminal(self._users.get(user, user))}/{terminal(name)}"


def details(change: Change, now: datetime) -> list[str]:
    """What a reader wants to know before saying yes, beyond the reason."""
    match change:
        case Create():
            until = f"~{now + change.days * DAY:%Y-%m-%d}"
            return [f"expires {until} ({change.days} days)   secret → {_places(change.targets)}"]
        case Renew():
            return _renewal(change, now)
        case Revoke():
            used = change.token.last_used
            if used is not None and now - used < _RECENT:
                return [f"! last used {ago(now - used)} ago"]
            return []
        case Clean():
            return [f"secret of {change.token.id} leaves {change.place}"]
        case Keep():
            return [f"renews {change.renews_at:%Y-%m-%d}"] if change.renews_at else []
        case _:
            return []


def _renewal(change: Renew, now: datetime) -> list[str]:
    old, spec = change.old, change.spec
    until = f"{old.expires_at:%Y-%m-%d} → ~{now + change.days * DAY:%Y-%m-%d}"
    kept = f"old kept ≥ {overlap(spec, old) // DAY}d, {spec.retire}"
    if change.retire_now:
        kept = f"{len(change.retire_now)} old revoked as soon as the new secret is stored"
    return [f"expires {until}   secret → {_places(change.targets)}   {kept}"]


def _places(targets: Iterable[Target]) -> str:
    return ", ".join(terminal(str(target.place)) for target in targets)


def ago(age: timedelta) -> str:
    """An age in the largest unit that fits: `3 days`, `2 hours`, `5 minutes`."""
    for unit, word in ((DAY, "day"), (_HOUR, "hour"), (timedelta(minutes=1), "minute")):
        if age >= unit:
            count = age // unit
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "a moment"
