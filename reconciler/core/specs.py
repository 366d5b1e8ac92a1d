"""What one spec needs: a create, a renewal, a new receipt, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reconciler.core.changes import Amend, Blocked, Change, Create, Keep, Renew, Target
from reconciler.core.claims import Claim, claim, namesakes
from reconciler.core.ledger import Holding, Ledger, stored
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Absent, Lookup, Place, Receipt, TokenRef, version_of
from reconciler.core.rules import Case, objection
from reconciler.core.spec import TokenSpec
from reconciler.core.succession import Hand, left_behind
from reconciler.core.timing import days_to_ask, renews_at
from reconciler.core.tokens import LiveToken, TokenId, Unread

Lookups = tuple[tuple[Place, Lookup], ...]


def plan_spec(spec: TokenSpec, ledger: Ledger, spoken: set[TokenId]) -> Iterator[Change]:
    """Everything that the plan says about one spec; marks the tokens it spoke of."""
    lookups = tuple((place, ledger.world.at(place)) for place in spec.places)
    holdings = _holdings(spec, lookups, ledger)
    named = _named(holdings)
    claimed = claim(spec, lookups, holdings, ledger)
    if isinstance(claimed, Blocked):
        spoken.update(ref.id for ref in named)
        free = (token.id for token in namesakes(spec, ledger))
        spoken.update(id_ for id_ in free if not ledger.sets_naming.get(id_))
        if isinstance(spec.adopt, str):
            spoken.add(spec.adopt)
        yield claimed
        return
    verdict = _verdict(spec, lookups, named, claimed, ledger)
    yield verdict
    if claimed.token is not None:
        spoken.add(claimed.token.id)
    yield from left_behind(Hand(spec, verdict, claimed, holdings), ledger, spoken)


def _holdings(spec: TokenSpec, lookups: Lookups, ledger: Ledger) -> list[Holding]:
    """Receipts of this set at the spec's places, and of its addresses anywhere."""
    found = {
        place: Holding(place, lookup.receipt, lookup)
        for place, lookup in lookups
        if not isinstance(lookup, Absent | Unread)
        and lookup.receipt is not None
        and lookup.receipt.set == spec.set
    }
    former = (each for each in spec.addresses if each not in ledger.wanted_addresses)
    for address in (spec.address, *former):
        for holding in ledger.ours.get(address, ()):
            found.setdefault(holding.place, holding)
    return list(found.values())


def _named(holdings: Iterable[Holding]) -> list[TokenRef]:
    return sorted({ref for holding in holdings for ref in holding.receipt.named})


def _verdict(
    spec: TokenSpec, lookups: Lookups, named: list[TokenRef], claimed: Claim, ledger: Ledger
) -> Change:
    world = ledger.world
    token, receipt = claimed.token, claimed.receipt
    if token is None:
        return _create(spec, lookups, named, claimed, ledger)
    case = Case(spec, lookups, token, receipt, world.requests, world.now)
    why = objection(case)
    if why is None:
        return _kept(case)
    if receipt is None and ledger.blind:
        text = "a sink could not be read; it may hold the receipt of the token to be adopted"
        return Blocked(spec.name, spec.user, Why(Reason.UNREAD, text), spec.where, token)
    days = days_to_ask(spec.lifetime, world.now)
    if days is None:
        return Keep(spec, token, Why(Reason.ENDED, "its last day is here; nothing follows"))
    known = tuple(filter(ledger.may_exist, sorted({*named, TokenRef(token.user, token.id)})))
    urgent = world.requests.compromised and spec.address in world.requests.rotate
    doomed = _doomed(spec, known, ledger) if urgent else ()
    own = not ledger.own.isdisjoint(ref.id for ref in known)
    return Renew(spec, days, _targets(lookups), token, known, why, doomed, own)


def _doomed(spec: TokenSpec, known: Iterable[TokenRef], ledger: Ledger) -> tuple[LiveToken, ...]:
    """What a compromise takes away at once: all of its live tokens that nobody else holds."""
    others = ledger.wanted_places - set(spec.places)
    return tuple(
        ledger.live[ref]
        for ref in known
        if ref in ledger.live
        and ledger.other_set(ledger.live[ref]) is None
        and others.isdisjoint(holding.place for holding in ledger.holdings_of.get(ref, ()))
    )


def _create(
    spec: TokenSpec, lookups: Lookups, named: list[TokenRef], claimed: Claim, ledger: Ledger
) -> Change:
    now = ledger.world.now
    last = max((r.expires_at for r in claimed.receipts), default=None)
    asked = spec.address in ledger.world.requests.rotate
    if not spec.renew and last is not None and last <= now and not asked:
        return Keep(spec, None, Why(Reason.ENDED, f"expired on {last.date()}; renew: false"))
    days = days_to_ask(spec.lifetime, now)
    if days is None:
        return Keep(spec, None, Why(Reason.ENDED, "its last day is over"))
    known = tuple(filter(ledger.may_exist, named))
    return Create(spec, days, _targets(lookups), known, claimed.why)


def _kept(case: Case) -> Keep | Amend:
    spec, token, receipt = case.spec, case.token, case.receipt
    if receipt is None:
        text = f"adopted {token.id}, made by hand; no sink holds its secret yet"
        return Keep(spec, token, Why(Reason.ADOPTED, text), renews_at(spec, token, case.now))
    stale = [place for place, lookup in case.lookups if _protects(lookup) != spec.protect]
    if stale:
        text = f"protect: {str(spec.protect).lower()}"
        targets = tuple(t for t in _targets(case.lookups) if t.place in stale)
        after = replace(receipt, protect=spec.protect)
        return Amend(spec, token, receipt, after, targets, Why(Reason.PROTECT, text))
    return Keep(spec, token, Why(Reason.IN_SYNC, ""), renews_at(spec, token, case.now))


def _protects(lookup: Lookup) -> bool:
    receipt: Receipt | None = stored(lookup)
    return receipt is not None and receipt.protect


def _targets(lookups: Lookups) -> tuple[Target, ...]:
    return tuple(
        Target(place, version_of(lookup))
        for place, lookup in lookups
        if not isinstance(lookup, Unread)
    )
