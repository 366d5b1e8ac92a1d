"""Which part of a look a set is about: whose tokens its entries, and the receipts of the set, speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from reconciler.core.people import Directory
from reconciler.core.receipts import Address, Inventory, SetName, SinkName, receipt_of
from reconciler.core.spec import TokenSet, TokenSpec, Tombstone
from reconciler.core.tokens import Listing, Unread, UserId
from reconciler.core.world import World
from reconciler.errors import InputError

_Entry = TokenSpec | Tombstone
_Wanted = TypeVar("_Wanted", TokenSpec, Tombstone)


@dataclass(frozen=True, slots=True)
class Aim:
    """A set among the users of an account.

    Attributes:
        owners: Who is meant by each `user` that the set has written.
    """

    wanted: TokenSet
    owners: Mapping[UserId, UserId | Unread]

    @classmethod
    def of(cls, wanted: TokenSet, people: Directory) -> Aim:
        entries: tuple[_Entry, ...] = (*wanted.specs, *wanted.tombstones)
        return cls(wanted, {entry.user: people.find(entry.user) for entry in entries})

    @property
    def unresolved(self) -> dict[UserId, Listing]:
        """What is written of nobody that we can see: no list can be read for it."""
        return {user: found for user, found in self.owners.items() if isinstance(found, Unread)}

    def scope(self, sinks: Mapping[SinkName, Inventory | Unread]) -> set[UserId]:
        """Users that entries name, and users whose tokens receipts of the set name."""
        named = {user for user in self.owners.values() if not isinstance(user, Unread)}
        return named | (_received(self.wanted.name, sinks) - self.unresolved.keys())

    def resolved(self) -> TokenSet:
        """The set with the ids of its users; what has none keeps what is written.

        Raises:
            InputError: Two entries turn out to name one token of one user.
        """
        specs = tuple(map(self._known, self.wanted.specs))
        tombstones = tuple(map(self._known, self.wanted.tombstones))
        _refuse_doubles(specs, tombstones)
        return replace(self.wanted, specs=specs, tombstones=tombstones)

    def _known(self, entry: _Wanted) -> _Wanted:
        found = self.owners[entry.user]
        return entry if isinstance(found, Unread) else replace(entry, user=found)


def aimed(world: World, wanted: TokenSet) -> World:
    """What `gather` would have made of this look for another set.

    Raises:
        InputError: Two entries turn out to name one token of one user.
    """
    aim = Aim.of(wanted, Directory(tuple(world.users.values())))
    unseen = Unread("its tokens were not looked at")
    live = {user: world.live.get(user, unseen) for user in sorted(aim.scope(world.sinks))}
    return replace(world, wanted=aim.resolved(), live=live | aim.unresolved)


def _received(set_name: SetName, sinks: Mapping[SinkName, Inventory | Unread]) -> set[UserId]:
    seen = [each for each in sinks.values() if not isinstance(each, Unread)]
    receipts = [receipt_of(entry) for each in seen for entry in each.entries.values()]
    ours = [each for each in receipts if each is not None and each.set == set_name]
    return {ref.user for receipt in ours for ref in receipt.named}


def _refuse_doubles(specs: Sequence[TokenSpec], tombstones: Sequence[Tombstone]) -> None:
    """Two spellings of one user (`current` and its id) escape the offline check of the file."""
    first: dict[Address, _Entry] = {}
    doubles = []
    entries: tuple[_Entry, ...] = (*specs, *tombstones)
    for entry in entries:
        other = first.setdefault(entry.address, entry)
        if other is not entry:
            doubles.append(
                f"{entry.where}  error: {entry.name!r} of user {entry.user} is listed twice, "
                f"first at {other.where}, with another spelling of the user; remove one"
            )
    if doubles:
        raise InputError(doubles)
