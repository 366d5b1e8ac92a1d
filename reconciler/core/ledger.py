"""Who holds what: the indices of one World, and what can be looked up in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

from reconciler.core.names import Names
from reconciler.core.receipts import (
    Address,
    Damaged,
    Inventory,
    Lookup,
    Place,
    Receipt,
    SetName,
    Stored,
    TokenRef,
    receipt_of,
)
from reconciler.core.spec import TokenSpec
from reconciler.core.tokens import LiveToken, TokenId, Unread, UserId
from reconciler.core.world import BY_HAND, World

_CLOCK_SLACK: Final = timedelta(seconds=2)
"""Several servers behind one name may differ a little; sparing one token too many costs nothing."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A receipt and where it lies."""

    place: Place
    receipt: Receipt
    lookup: Lookup


@dataclass(frozen=True, slots=True)
class Counts:
    """Whose live tokens were seen: ours, another set's, nobody's, and those we were told to ignore."""

    ours: int = 0
    others: int = 0
    unmanaged: int = 0


class Ledger:
    """Who holds what: the indices of one World. Cost grows linearly with tokens and receipts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.set = world.wanted.name
        self.live: dict[TokenRef, LiveToken] = {
            TokenRef(token.user, token.id): token
            for listing in world.live.values()
            if not isinstance(listing, Unread)
            for token in listing
        }
        self.holdings: list[Holding] = list(_holdings(world))
        self.ours: dict[Address, list[Holding]] = defaultdict(list)
        self.sets_naming: dict[TokenId, set[SetName]] = defaultdict(set)
        self.holdings_of: dict[TokenRef, list[Holding]] = defaultdict(list)
        self.taken: dict[TokenRef, SetName] = {}
        """What a receipt of another set names as its current token."""
        self._sort_receipts()
        self.by_name: dict[tuple[UserId, str], list[LiveToken]] = defaultdict(list)
        for ref in sorted(self.live):
            self.by_name[ref.user, self.live[ref].name].append(self.live[ref])
        self.wanted_names = {
            (spec.user, name) for spec in world.wanted.specs for name in (spec.name, spec.live_name)
        }
        self.wanted_addresses = {spec.address for spec in world.wanted.specs}
        self.known_addresses = {a for spec in world.wanted.specs for a in spec.addresses}
        self.wanted_places = {place for spec in world.wanted.specs for place in spec.places}
        self.held = {
            holding.receipt.token
            for holding in self.holdings
            if holding.place in self.wanted_places
        }
        """What some spec's own place names as its current token: never retired."""
        self.suspects = {
            ref
            for holding in self.holdings
            if holding.place in self.wanted_places and isinstance(holding.lookup, Damaged)
            for ref in holding.receipt.named
        }
        """A write was cut off: what the place of some spec really holds may be the secret of any."""
        self.shielded = dict(self._shielded())
        self.own = _own_credential(world)
        self.blind = any(map(_is_partly_unread, world.sinks.values()))
        """Whether some receipt may have escaped us: then nothing can be called nobody's."""

    def _sort_receipts(self) -> None:
        for holding in self.holdings:
            for ref in holding.receipt.named:
                self.sets_naming[ref.id].add(holding.receipt.set)
            if holding.receipt.set == self.set:
                self.ours[holding.receipt.address].append(holding)
                self.holdings_of[holding.receipt.token].append(holding)
            elif holding.receipt.set != BY_HAND:
                self.taken[holding.receipt.token] = holding.receipt.set

    def _shielded(self) -> Iterator[tuple[TokenRef, str]]:
        """Live tokens whose receipt says `protect` although their entry is gone; and its name."""
        for address in self.ours.keys() - self.known_addresses:
            for receipt in (holding.receipt for holding in self.ours[address]):
                named = {receipt.address, receipt.token.id} & self.world.requests.allow_revoke
                if receipt.protect and not named and self.may_exist(receipt.token):
                    yield receipt.token, receipt.name

    def shields(self, ref: TokenRef, spec: TokenSpec) -> bool:
        """Whether `protect` of an entry that is gone keeps this token from being replaced by another's."""
        name = self.shielded.get(ref)
        return name is not None and name not in (spec.name, *spec.previously)

    @cached_property
    def names(self) -> Names:
        """How people write addresses; only needed where they are told to."""
        return Names(self.world)

    def find(self, ref: TokenRef) -> LiveToken | Unread | None:
        """The live token; None if its user's list was read and does not have it."""
        listing = self.world.live.get(ref.user, Unread(f"user {ref.user} was not listed"))
        return listing if isinstance(listing, Unread) else self.live.get(ref)

    def may_exist(self, ref: TokenRef) -> bool:
        """False only when a list that was read proves it gone."""
        return self.find(ref) is not None

    def is_spent(self, receipt: Receipt) -> bool:
        """Whether no predecessor is alive: with the receipt, the last word about those would go."""
        return not any(map(self.may_exist, receipt.predecessors))

    def emptied_by(self, token: LiveToken, spec: TokenSpec | None = None) -> tuple[Place, ...]:
        """Places that name this token as the current one and may be emptied when it goes.

        Not those of another entry: its receipts are all it knows about itself.
        """
        others = self.known_addresses.difference(spec.addresses if spec else ())
        return tuple(
            holding.place
            for holding in self.holdings_of.get(TokenRef(token.user, token.id), ())
            if self.is_spent(holding.receipt) and holding.receipt.address not in others
        )

    def other_set(self, token: LiveToken) -> SetName | None:
        """The other set that holds this token, or that names it while no receipt of ours does."""
        if (holder := self.taken.get(TokenRef(token.user, token.id))) is not None:
            return holder
        sets = self.sets_naming.get(token.id, set())
        return None if self.set in sets else min(sets, default=None)

    def current(self) -> set[TokenRef]:
        """The live tokens that receipts of this set name as their current one."""
        return {ref for ref in self.holdings_of if ref in self.live}

    def counts(self) -> Counts:
        named = [self.sets_naming.get(ref.id) for ref in self.live]
        ours = sum(1 for sets in named if sets and self.set in sets)
        others = sum(1 for sets in named if sets and self.set not in sets)
        return Counts(ours, others, len(named) - ours - others)


def _is_partly_unread(sink: Inventory | Unread) -> bool:
    return isinstance(sink, Unread) or any(
        isinstance(entry, Unread) for entry in sink.entries.values()
    )


def _own_credential(world: World) -> frozenset[TokenId]:
    """The tokens that we may be running with: used since this run began; on doubt, all of them."""
    listing = world.live.get(world.principal, ())
    if isinstance(listing, Unread):
        return frozenset()
    began = world.now - _CLOCK_SLACK
    moved = {t.id for t in listing if t.last_used is not None and t.last_used >= began}
    return frozenset(moved or {t.id for t in listing})


def _holdings(world: World) -> Iterator[Holding]:
    for name in sorted(world.sinks):
        inventory = world.sinks[name]
        if isinstance(inventory, Unread):
            continue
        for key in sorted(inventory.entries):
            receipt = receipt_of(inventory.entries[key])
            if receipt is not None:
                yield Holding(Place(name, key), receipt, inventory.entries[key])


def stored(lookup: Lookup) -> Receipt | None:
    """The receipt at a place whose value fits it."""
    return lookup.receipt if isinstance(lookup, Stored) else None
