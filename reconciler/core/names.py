"""What people call a token: `user/name`, or the name alone where that is unique in the set (DESIGN §4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from reconciler.core.people import CURRENT
from reconciler.core.receipts import Address, receipt_of
from reconciler.core.tokens import Unread, UserId
from reconciler.core.world import World

Tier = Mapping[str, set[Address]]
"""Addresses by their names."""


class Names:
    """The addresses that one World knows.

    A user is called by the id, by the name, or `current`. A name alone is looked for in one tier after
    the other: beside an entry, nobody means a stranger's token of the same name.

    Attributes:
        specs: What the file wants to exist.
        set: The same, and what it wants not to exist, and what receipts of the set speak of.
        live: Every token that was listed.
    """

    def __init__(self, world: World) -> None:
        wanted = world.wanted
        entries = [spec.address for spec in wanted.specs]
        entries += [stone.address for stone in wanted.tombstones]
        self.specs: Final = _tier(spec.address for spec in wanted.specs)
        self.set: Final = _tier((*entries, *_received(world)))
        self.live: Final = _tier(_listed(world))
        self._display = {id_: user.name for id_, user in world.users.items()}
        self._called: dict[str, set[UserId]] = defaultdict(set)
        for user in {*self._display, *(each.user for each in entries), *world.live}:
            self._called[user].add(user)
            self._called[self._display.get(user, user)].add(user)
        self._called[CURRENT].add(world.principal)

    def meant(self, written: str, *tiers: Tier) -> list[Address]:
        """Everything that may be meant; more than one: it is ambiguous."""
        full = {
            Address(user, written[at + 1 :])
            for at, letter in enumerate(written)
            if letter == "/"
            for user in self._called.get(written[:at], ())
        }
        found = {each for each in full if any(each in tier.get(each.name, ()) for tier in tiers)}
        bare = next((tier[written] for tier in tiers if written in tier), set())
        return sorted(found | bare)

    def spelled(self, address: Address) -> str:
        """The shortest spelling that means this address and no other."""
        for text in self.ways(address):
            if self.meant(text, self.set, self.live) == [address]:
                return text
        return str(address)

    def ways(self, address: Address) -> tuple[str, str, str]:
        """How people may spell it, the shortest first; each may mean others, too."""
        display = self._display.get(address.user, address.user)
        return address.name, f"{display}/{address.name}", str(address)


def _tier(addresses: Iterable[Address]) -> Tier:
    found: dict[str, set[Address]] = {}
    for address in addresses:
        found.setdefault(address.name, set()).add(address)
    return found


def _received(world: World) -> Iterator[Address]:
    for inventory in world.sinks.values():
        for entry in () if isinstance(inventory, Unread) else inventory.entries.values():
            receipt = receipt_of(entry)
            if receipt is not None and receipt.set == world.wanted.name:
                yield from (Address(ref.user, receipt.name) for ref in receipt.named)


def _listed(world: World) -> Iterator[Address]:
    for listing in world.live.values():
        for token in () if isinstance(listing, Unread) else listing:
            yield Address(token.user, token.name)
