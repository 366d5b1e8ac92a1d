"""What a spec leaves behind: the tokens that its receipts name besides the one in hand, and secrets at
places that it no longer names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.core.changes import Amend, Blocked, Change, Clean, Keep, Revoke, Wait
from reconciler.core.claims import Claim
from reconciler.core.ledger import Holding, Ledger
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import TokenRef
from reconciler.core.removal import leftovers
from reconciler.core.rules import Retirement, stay
from reconciler.core.spec import Retire, TokenSpec
from reconciler.core.tokens import LiveToken, TokenId


@dataclass(frozen=True, slots=True)
class Hand:
    """One spec, what the plan does about it, what it has, and the receipts that speak of it."""

    spec: TokenSpec
    verdict: Change
    claimed: Claim
    holdings: Sequence[Holding]


def left_behind(hand: Hand, ledger: Ledger, spoken: set[TokenId]) -> Iterator[Change]:
    """What must go, now or later; marks the tokens it spoke of."""
    successor = _successor(hand, ledger)
    if successor is not None:
        spoken.add(successor.id)
    for ref in sorted({ref for holding in hand.holdings for ref in holding.receipt.named}):
        old = ledger.live.get(ref)
        if old is None or ref.id in spoken or ref in ledger.held:
            continue
        spoken.add(ref.id)
        yield _retire(hand.spec, old, successor, ledger)
    if successor is not None:
        yield from leftovers(hand.spec.name, hand.holdings, ledger)
    if successor is not None and hand.verdict.why.reason is not Reason.ENDED:
        yield from _dropped(hand, successor, ledger)


def _successor(hand: Hand, ledger: Ledger) -> LiveToken | None:
    """What took the place of all others for good; of an entry that has ended, its last."""
    if not isinstance(hand.verdict, Keep | Amend):
        return None
    listed = (ledger.live.get(receipt.token) for receipt in hand.claimed.receipts)
    return hand.claimed.token or max(filter(None, listed), key=_birth, default=None)


def _birth(token: LiveToken) -> tuple[datetime, TokenId]:
    return token.created_at, token.id


def _retire(spec: TokenSpec, old: LiveToken, successor: LiveToken | None, ledger: Ledger) -> Change:
    if successor is None:
        return Wait(spec.name, old, Why(Reason.PENDING, "until its successor is in every sink"))
    if (other := ledger.other_set(old)) is not None:
        why = Why(Reason.OTHER_SET, f"{old.id} is in a receipt of set {other}")
        return Blocked(spec.name, old.user, why, spec.where, old)
    if ledger.shields(TokenRef(old.user, old.id), spec):
        text = f"replaced by {successor.id}, but a receipt says protect: true"
        return Blocked(spec.name, old.user, Why(Reason.PROTECTED, text), spec.where, old)
    staying = stay(Retirement(spec, old, successor, ledger.world.now))
    if staying is not None:
        return Wait(spec.name, old, staying.why, staying.until)
    expired = not old.works(ledger.world.now)
    why = (
        Why(Reason.EXPIRED, f"expired on {old.expires_at.date()}")
        if expired
        else Why(Reason.SUPERSEDED, f"replaced by {successor.id} on {successor.created_at.date()}")
    )
    cleanup = tuple(place for place in ledger.emptied_by(old, spec) if place not in spec.places)
    idle = spec.retire is Retire.WHEN_UNUSED and not expired
    return Revoke(spec.name, old, cleanup, why, spec.where, if_idle=idle)


def _dropped(hand: Hand, held: LiveToken, ledger: Ledger) -> Iterator[Clean]:
    """Places that the entry named once and that still hold what all of its places hold."""
    spec, ref = hand.spec, TokenRef(held.user, held.id)
    for holding in hand.holdings:
        if holding.receipt.token == ref and holding.place not in ledger.wanted_places:
            text = f"{spec.name} no longer names {holding.place.sink}"
            yield Clean(spec.name, ref, holding.place, Why(Reason.DROPPED, text))
