"""Which live token a spec has in hand: by the receipts that name it, by id, or by adoption.

Names never decide. `adopt` is the one place where a name is looked at, because the file says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.core.changes import Blocked
from reconciler.core.ledger import Holding, Ledger
from reconciler.core.orphans import looks_unstored
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Damaged, Lookup, Place, Receipt, SetName, Stored, TokenRef
from reconciler.core.spec import TokenSpec, Tombstone
from reconciler.core.tokens import LiveToken, Unread
from reconciler.core.world import BY_HAND

_NEW = Why(Reason.NEW, "no sink holds a secret for it")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a spec has in hand.

    Attributes:
        token: A token that works; None: one must be made, because of `why`.
        receipt: The receipt that names it; None while it is adopted.
        receipts: All receipts that speak of this spec.
    """

    token: LiveToken | None
    receipt: Receipt | None
    receipts: tuple[Receipt, ...]
    why: Why = _NEW


def claim(
    spec: TokenSpec,
    lookups: Sequence[tuple[Place, Lookup]],
    holdings: Sequence[Holding],
    ledger: Ledger,
) -> Claim | Blocked:
    """The token in hand, or what forbids to look for one."""
    hindrance = _hindrance(spec, lookups, ledger)
    if hindrance is not None:
        return Blocked(spec.name, spec.user, hindrance, spec.where)
    if holdings:
        return _by_receipt(spec, lookups, holdings, ledger)
    if spec.adopt is not False:
        return _by_adoption(spec, ledger)
    return Claim(None, None, ())


def namesakes(spec: TokenSpec | Tombstone, ledger: Ledger) -> list[LiveToken]:
    """Live tokens of this user with exactly this name, as written or as decorated."""
    found = {
        token.id: token
        for name in (spec.name, spec.live_name)
        for token in ledger.by_name.get((spec.user, name), ())
    }
    return [found[key] for key in sorted(found)]


def _hindrance(
    spec: TokenSpec, lookups: Sequence[tuple[Place, Lookup]], ledger: Ledger
) -> Why | None:
    listing = ledger.world.live.get(spec.user, Unread(f"user {spec.user} was not listed"))
    if isinstance(listing, Unread):
        return Why(Reason.UNREAD, listing.why)
    for place, lookup in lookups:
        match lookup:
            case Unread(why):
                return Why(Reason.UNREAD, f"{place}: {why}")
            case Damaged(None, _, why) if spec.adopt is False:
                return Why(Reason.FOREIGN_SECRET, f"{place}: {why}")
            case Stored(receipt) | Damaged(Receipt() as receipt) if _is_foreign(spec, receipt.set):
                text = f"{place} holds the secret of {receipt.name}, set {receipt.set}"
                return Why(Reason.OTHER_SET, text)
            case Stored(receipt) | Damaged(Receipt() as receipt) if ledger.shields(
                receipt.token, spec
            ):
                text = f"{place} holds the secret of {receipt.name}, whose entry is gone"
                return Why(Reason.PROTECTED, f"{text}, but its receipt says protect: true")
    return None


def _is_foreign(spec: TokenSpec, owner: SetName) -> bool:
    return owner != spec.set and not (owner == BY_HAND and spec.adopt is not False)


def _by_receipt(
    spec: TokenSpec,
    lookups: Sequence[tuple[Place, Lookup]],
    holdings: Sequence[Holding],
    ledger: Ledger,
) -> Claim | Blocked:
    receipts = tuple(holding.receipt for holding in holdings)
    for receipt in receipts:
        found = ledger.find(receipt.token)
        if isinstance(found, Unread):
            return Blocked(spec.name, spec.user, Why(Reason.UNREAD, found.why), spec.where)
    if (agreed := _agreed(lookups)) is not None:
        token = ledger.live.get(agreed.token)
        if token is not None and token.works(ledger.world.now):
            return Claim(token, agreed, receipts)
        return Claim(None, None, receipts, _stale(agreed, token))
    working = [
        (token, receipt)
        for receipt in receipts
        if (token := ledger.live.get(receipt.token)) and token.works(ledger.world.now)
    ]
    if not working:
        return Claim(None, None, receipts, _stale(receipts[0], ledger.live.get(receipts[0].token)))
    token, receipt = max(working, key=lambda pair: (pair[0].created_at, pair[0].id))
    return Claim(token, receipt, receipts)


def _agreed(lookups: Sequence[tuple[Place, Lookup]]) -> Receipt | None:
    """The receipt that every place of the spec has, if they all name one token."""
    receipts = [lookup.receipt for _, lookup in lookups if isinstance(lookup, Stored | Damaged)]
    if len(receipts) != len(lookups):
        return None
    tokens = {receipt.token if receipt else None for receipt in receipts}
    return receipts[0] if len(tokens) == 1 else None


def _stale(receipt: Receipt, token: LiveToken | None) -> Why:
    whose = f"{receipt.token.id}, whose secret the sink holds,"
    if token is None:
        return Why(Reason.STALE, f"{whose} no longer exists")
    return Why(Reason.LAPSED, f"{whose} expired on {token.expires_at.date()}")


def _by_adoption(spec: TokenSpec, ledger: Ledger) -> Claim | Blocked:
    if isinstance(spec.adopt, str):
        chosen = ledger.live.get(TokenRef(spec.user, spec.adopt))
        if chosen is None:
            text = f"user {spec.user} has no token {spec.adopt}"
            return Blocked(spec.name, spec.user, Why(Reason.ADOPT_MISSING, text), spec.where)
        return _adopt(spec, chosen, ledger)
    free = [
        token
        for token in namesakes(spec, ledger)
        if token.works(ledger.world.now) and ledger.set not in ledger.sets_naming.get(token.id, ())
    ]
    if len(free) > 1:  # what a crash left when we renewed the adopted token is no candidate
        free = [token for token in free if not looks_unstored(spec, token, ledger)] or free
    if len(free) > 1:
        ids = ", ".join(token.id for token in free)
        why = Why(Reason.ADOPT_AMBIGUOUS, f"{len(free)} live tokens have this name: {ids}")
        return Blocked(spec.name, spec.user, why, spec.where)
    return _adopt(spec, free[0], ledger) if free else Claim(None, None, ())


def _adopt(spec: TokenSpec, token: LiveToken, ledger: Ledger) -> Claim | Blocked:
    owners = ledger.sets_naming.get(token.id, set()) - {BY_HAND}
    if owners:
        why = Why(Reason.OTHER_SET, f"{token.id} is in a receipt of set {min(owners)}")
        return Blocked(spec.name, spec.user, why, spec.where)
    if not token.works(ledger.world.now):
        fate = f"{token.id}, to be adopted, expired on {token.expires_at.date()}"
        return Claim(None, None, (), Why(Reason.LAPSED, fate))
    return Claim(token, None, ())
