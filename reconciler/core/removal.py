"""What must go, and how we know that it is ours: tombstones, removed entries, orphans; and the rest.

Only a sink's own record proves that a token is ours (DESIGN §4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from reconciler.core.changes import Blocked, Change, Clean, Revoke, Unmanaged, Wait
from reconciler.core.claims import namesakes
from reconciler.core.ledger import Holding, Ledger
from reconciler.core.orphans import idle_since, is_orphan
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Address, TokenRef
from reconciler.core.spec import Location, TokenSpec, UnmanagedAction
from reconciler.core.tokens import LiveToken, TokenId, Unread, UserId


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A name that must have no token, and why."""

    name: str
    user: UserId
    why: Why
    where: Location | None


def tombstones(ledger: Ledger, spoken: set[TokenId]) -> Iterator[Change]:
    """`state: absent` is the one removal that goes by name: the file names it on purpose."""
    for stone in ledger.world.wanted.tombstones:
        listing = ledger.world.live.get(stone.user, Unread("not listed"))
        if isinstance(listing, Unread):
            why = Why(Reason.UNREAD, listing.why)
            yield Blocked(stone.name, stone.user, why, stone.where)
            continue
        holdings = ledger.ours.get(stone.address, [])
        named = namesakes(stone, ledger)
        sentence = _Sentence(
            stone.name, stone.user, Why(Reason.TOMBSTONE, stone.reason), stone.where
        )
        yield from _remove(sentence, holdings, named, ledger, spoken)


def removed_entries(ledger: Ledger, spoken: set[TokenId]) -> Iterator[Change]:
    """Receipts of this set whose entry is gone from the file."""
    wanted = ledger.world.wanted
    known = {address for spec in wanted.specs for address in spec.addresses}
    known |= {stone.address for stone in wanted.tombstones}
    unsure = set(_names_of_unread_users(ledger))
    for address in sorted(set(ledger.ours) - known):
        if address.name in unsure:
            continue  # said where its entry is blocked
        why = Why(Reason.REMOVED, "its entry is gone from the file")
        sentence = _Sentence(address.name, address.user, why, None)
        yield from _remove(sentence, ledger.ours[address], [], ledger, spoken)


def _names_of_unread_users(ledger: Ledger) -> Iterator[str]:
    """Names whose user may be one that a receipt knows under the id that nobody found today."""
    world = ledger.world
    for spec in world.wanted.specs:
        if isinstance(world.live.get(spec.user), Unread):
            yield from (spec.name, *spec.previously)
    for stone in world.wanted.tombstones:
        if isinstance(world.live.get(stone.user), Unread):
            yield stone.name


def _remove(
    sentence: _Sentence,
    holdings: list[Holding],
    named: Iterable[LiveToken],
    ledger: Ledger,
    spoken: set[TokenId],
) -> Iterator[Change]:
    ours = {ref for holding in holdings for ref in holding.receipt.named}
    refs = ours | {TokenRef(token.user, token.id) for token in named}
    protected = any(holding.receipt.protect for holding in holdings)
    for ref in sorted(refs):
        token = ledger.find(ref)
        if token is None or ref.id in spoken or ref in ledger.held:
            continue
        spoken.add(ref.id)
        if isinstance(token, Unread):
            why = Why(Reason.UNREAD, token.why)
            yield Blocked(sentence.name, ref.user, why, sentence.where)
        else:
            found = _sentenced(sentence, token, ledger, protected=protected)
            by_name = ref not in ours
            yield replace(found, by_name=by_name) if isinstance(found, Revoke) else found
    yield from leftovers(sentence.name, holdings, ledger)


def _sentenced(sentence: _Sentence, token: LiveToken, ledger: Ledger, *, protected: bool) -> Change:
    if (other := ledger.other_set(token)) is not None:
        why = Why(Reason.OTHER_SET, f"{token.id} is in a receipt of set {other}")
        return Blocked(sentence.name, token.user, why, sentence.where, token)
    named = {Address(token.user, sentence.name), token.id}
    if protected and not named & ledger.world.requests.allow_revoke:
        why = Why(Reason.PROTECTED, f"{sentence.why.text}, but its receipt says protect: true")
        return Blocked(sentence.name, token.user, why, sentence.where, token)
    cleanup = ledger.emptied_by(token)
    return Revoke(sentence.name, token, cleanup, sentence.why, sentence.where)


def leftovers(name: str, holdings: Iterable[Holding], ledger: Ledger) -> Iterator[Clean]:
    """Secrets of dead tokens, at places that no spec uses."""
    for holding in holdings:
        ref = holding.receipt.token
        if holding.place in ledger.wanted_places or ledger.may_exist(ref):
            continue
        if ledger.is_spent(holding.receipt):
            why = Why(Reason.LEFTOVER, f"{ref.id} is gone")
            yield Clean(name, ref, holding.place, why, holding.receipt.named)


def last_traces(decided: Iterable[Change], ledger: Ledger) -> Iterator[Clean]:
    """Secrets that no single revoke may remove: their receipts name several tokens, and all of them go."""
    going = {
        TokenRef(change.token.user, change.token.id): change
        for change in decided
        if isinstance(change, Revoke)
    }
    emptied = {place for change in going.values() for place in change.cleanup}
    for address in sorted(ledger.ours.keys() - ledger.known_addresses):
        for place, receipt in ((each.place, each.receipt) for each in ledger.ours[address]):
            left = [ref for ref in receipt.named if ledger.may_exist(ref)]
            if place in ledger.wanted_places | emptied or not left or set(left) - going.keys():
                continue
            last = going[left[0]]
            yield Clean(last.name, receipt.token, place, last.why, receipt.named)


def orphans(ledger: Ledger, spoken: set[TokenId]) -> Iterator[Change]:
    """Tokens that a run of ours minted and never stored. All conditions must hold."""
    for spec in ledger.world.wanted.specs:
        for token in ledger.by_name.get((spec.user, spec.live_name), ()):
            if token.id not in spoken and is_orphan(spec, token, ledger):
                spoken.add(token.id)
                yield _orphaned(spec, token, ledger.world.now)


def _orphaned(spec: TokenSpec, token: LiveToken, now: datetime) -> Revoke | Wait:
    made = f"minted {token.created_at:%Y-%m-%d %H:%M} UTC, not in any sink, never used"
    until = idle_since(spec, token)
    if token.works(now) and now < until:
        text = f"{made}; revoked from {until.date()} on, unless somebody uses it"
        return Wait(spec.name, token, Why(Reason.ORPHAN, text), until)
    why = Why(Reason.ORPHAN, made)
    return Revoke(spec.name, token, spec.places, why, spec.where, if_idle=True)


def unmanaged(ledger: Ledger, spoken: set[TokenId]) -> Iterator[Change]:
    """Live tokens of users in scope that nothing above spoke of."""
    for ref in sorted(ledger.live):
        token = ledger.live[ref]
        if token.id not in spoken and not ledger.sets_naming.get(token.id):
            yield from _unmanaged(token, ledger)


def _unmanaged(token: LiveToken, ledger: Ledger) -> Iterator[Change]:
    policy = ledger.world.wanted.unmanaged
    if token.id in ledger.own:
        yield Unmanaged(token, Why(Reason.OWN, "the credential of this run, by its last use"))
    elif is_ignored(token, ledger):
        return
    elif policy.action is UnmanagedAction.REVOKE:
        yield Revoke(token.name, token, (), Why(Reason.UNMANAGED_REVOKED, "nobody declares it"))
    elif not token.works(ledger.world.now):
        yield Unmanaged(token, Why(Reason.EXPIRED, f"expired on {token.expires_at.date()}"))
    elif (token.user, token.name) in ledger.wanted_names:
        text = "an entry has this name, but no receipt knows this token: adopt it or revoke it"
        yield Unmanaged(token, Why(Reason.SAME_NAME, text))
    else:
        yield Unmanaged(token, Why(Reason.UNMANAGED, "no entry and no receipt knows it"))


def is_ignored(token: LiveToken, ledger: Ledger) -> bool:
    """Whether the set says to look away."""
    policy = ledger.world.wanted.unmanaged
    named = any(fnmatchcase(token.name, pattern) for pattern in policy.ignore)
    return named or policy.action is UnmanagedAction.IGNORE
