"""The decisions as two chains of small questions; the first objection wins and becomes the reason.

`HELD`: why the held token will not do. `RETIRE`: why a superseded token must stay.
Each rule is named by the truth that it wants. Order is meaning: tests cover the composed chains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Absent, Damaged, Lookup, Place, Receipt, Stored
from reconciler.core.spec import ExpiresIn, ExpiresOn, Retire, TokenSpec
from reconciler.core.timing import end_of, left, overlap, renews_at
from reconciler.core.tokens import LiveToken
from reconciler.core.world import GRACE, Requests


@dataclass(frozen=True, slots=True)
class Case:
    """One spec, what its places say, and the working token that they speak of.

    Attributes:
        lookups: What was read at each place of the spec; never Unread.
        receipt: The receipt of the token in hand; None while it is adopted.
    """

    spec: TokenSpec
    lookups: tuple[tuple[Place, Lookup], ...]
    token: LiveToken
    receipt: Receipt | None
    requests: Requests
    now: datetime


Rule = Callable[[Case], Why | None]


def rotation_is_not_requested(case: Case) -> Why | None:
    if case.spec.address not in case.requests.rotate:
        return None
    return Why(Reason.REQUESTED, case.requests.rotate_reason or "asked for on the command line")


def secret_is_in_every_sink(case: Case) -> Why | None:
    if case.receipt is None:
        return None
    for place, lookup in case.lookups:
        match lookup:
            case Absent():
                return Why(Reason.MISSING, f"{place} holds no secret")
            case Damaged(None, _, why):
                return Why(Reason.MISSING, f"{place}: {why}")
            case Stored(receipt) if receipt.token != case.receipt.token:
                return Why(Reason.MISSING, f"{place} holds the secret of {receipt.token.id}")
    return None


def secret_fits_its_receipt(case: Case) -> Why | None:
    for place, lookup in case.lookups:
        if isinstance(lookup, Damaged) and lookup.receipt is not None:
            return Why(Reason.DAMAGED, f"{place}: {lookup.why}")
    return None


def receipt_is_of_this_entry(case: Case) -> Why | None:
    if case.receipt is None or case.receipt.address == case.spec.address:
        return None
    if case.receipt.token.user != case.spec.user:
        return Why(Reason.USER_CHANGED, f"the token in hand belongs to {case.receipt.token.user}")
    if case.receipt.name in case.spec.previously:
        return Why(Reason.RENAMED, f"was {case.receipt.name}")
    return Why(Reason.MISSING, f"{case.lookups[0][0]} holds the secret of {case.receipt.name}")


def rotation_is_current(case: Case) -> Why | None:
    had = case.receipt.rotation if case.receipt else 0
    if case.spec.rotation <= had:
        return None
    return Why(Reason.ROTATION, f"rotation raised from {had} to {case.spec.rotation}")


def lifetime_is_as_written(case: Case) -> Why | None:
    if case.receipt is None:
        return None  # importing never replaces anything
    match case.spec.lifetime:
        case ExpiresIn(days) if days != case.token.days:
            return Why(Reason.LIFETIME, f"made for {case.token.days} days, the file says {days}")
        case ExpiresOn(day) as last if case.token.expires_at > end_of(last):
            return Why(Reason.LIFETIME, f"outlives {day}, the last day in the file")
    return None


def window_is_not_reached(case: Case) -> Why | None:
    due = renews_at(case.spec, case.token, case.now)
    if due is None or case.now < due:
        return None
    count, unit = left(case.token.expires_at - case.now)
    return Why(
        Reason.DUE, f"{count} {unit}{'' if count == 1 else 's'} left, due since {due.date()}"
    )


HELD: tuple[Rule, ...] = (
    rotation_is_not_requested,
    receipt_is_of_this_entry,
    secret_is_in_every_sink,
    secret_fits_its_receipt,
    rotation_is_current,
    lifetime_is_as_written,
    window_is_not_reached,
)


def objection(case: Case) -> Why | None:
    """The first reason why the token in hand will not do; None if all is well."""
    return next((why for rule in HELD if (why := rule(case)) is not None), None)


@dataclass(frozen=True, slots=True)
class Retirement:
    """A superseded token and the successor that every sink of the spec holds."""

    spec: TokenSpec
    old: LiveToken
    successor: LiveToken
    now: datetime


@dataclass(frozen=True, slots=True)
class Stay:
    """Why a superseded token must stay, and until when at least."""

    why: Why
    until: datetime | None


def it_still_works(case: Retirement) -> bool:
    return case.old.works(case.now)


def successor_is_old_enough(case: Retirement) -> Stay | None:
    until = case.successor.created_at + GRACE
    return None if case.now >= until else Stay(Why(Reason.YOUNG, "its successor is new"), until)


def expiry_is_not_awaited(case: Retirement) -> Stay | None:
    if case.spec.retire is not Retire.AT_EXPIRY:
        return None
    text = f"left to expire on {case.old.expires_at.date()}"
    return Stay(Why(Reason.UNTIL_EXPIRY, text), case.old.expires_at)


def overlap_has_passed(case: Retirement) -> Stay | None:
    until = case.successor.created_at + overlap(case.spec, case.successor)
    if case.now >= until:
        return None
    return Stay(Why(Reason.OVERLAP, f"both work until {until:%Y-%m-%d %H:%M} UTC"), until)


def it_is_no_longer_used(case: Retirement) -> Stay | None:
    used = case.old.last_used
    if case.spec.retire is not Retire.WHEN_UNUSED or used is None:
        return None
    idle_at = used + overlap(case.spec, case.successor)
    if case.now >= idle_at:
        return None
    text = f"last used {used:%Y-%m-%d %H:%M} UTC; it lives until {case.old.expires_at.date()}"
    return Stay(Why(Reason.IN_USE, text), min(idle_at, case.old.expires_at))


RETIRE: tuple[Callable[[Retirement], Stay | None], ...] = (
    successor_is_old_enough,
    expiry_is_not_awaited,
    overlap_has_passed,
    it_is_no_longer_used,
)


def stay(case: Retirement) -> Stay | None:
    """The first reason why a superseded token must stay; an expired one has none."""
    if not it_still_works(case):
        return None
    return next((found for rule in RETIRE if (found := rule(case)) is not None), None)
