"""Look at everything once and freeze it: users, live tokens, sinks, one instant. Takes readers only.

One `GET /api/users`, one token list per user in scope, one bulk read per sink (DESIGN §4, §9). What
could not be read becomes `Unread` and stays visible; nothing here ever turns a failure into "empty".

The order carries meaning, however long each step takes. The instant comes first: what had passed the
grace by then was stored by then, or never will be, so the sinks show it. Sinks come before the lists:
what a receipt names and no list shows is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from reconciler.core.people import Directory
from reconciler.core.ports import SinkReader, TokenReader
from reconciler.core.receipts import Address, Inventory, SetName, SinkName, receipt_of
from reconciler.core.spec import TokenSet, TokenSpec, Tombstone
from reconciler.core.tokens import Listing, Unread, UserId
from reconciler.core.world import World
from reconciler.errors import ApiError, Gone, InputError, SinkUnread, Unauthenticated

CONCURRENCY: Final = 8

_Entry = TokenSpec | Tombstone
_Wanted = TypeVar("_Wanted", TokenSpec, Tombstone)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look.

    Attributes:
        server: The management URL, as registrations and plans name it.
    """

    api: TokenReader
    sinks: Mapping[SinkName, SinkReader]
    server: str


def gather(wanted: TokenSet, sources: Sources) -> World:
    """Read everything once.

    Raises:
        ApiError: The user list could not be read, or does not say who we are.
        InputError: Two entries turn out to name one token of one user.
    """
    users = sources.api.users()
    now = sources.api.server_time()
    people = Directory(users)
    entries: tuple[_Entry, ...] = (*wanted.specs, *wanted.tombstones)
    owners = {entry.user: people.find(entry.user) for entry in entries}
    unresolved: dict[UserId, Listing] = {
        user: found for user, found in owners.items() if isinstance(found, Unread)
    }
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        inventories = {
            name: pool.submit(_inventory, sink, _keys(wanted, name))
            for name, sink in sources.sinks.items()
        }
        sinks = {name: future.result() for name, future in inventories.items()}
        scope = {user for user in owners.values() if not isinstance(user, Unread)}
        scope |= _received(wanted.name, sinks) - unresolved.keys()
        listings = {user: pool.submit(_listing, sources.api, user) for user in sorted(scope)}
        resolved = _resolved(wanted, owners)  # while the lists are on their way
    # Collected when all are there: waking up for each one would take time from those that read.
    live: dict[UserId, Listing] = {user: future.result() for user, future in listings.items()}
    return World(
        wanted=resolved,
        server=sources.server,
        principal=people.principal.id,
        now=now,
        users=people.by_id,
        live=live | unresolved,
        sinks=sinks,
    )


def _keys(wanted: TokenSet, sink: SinkName) -> list[str]:
    places = {place for spec in wanted.specs for place in spec.places if place.sink == sink}
    return sorted(place.key for place in places)


def _inventory(sink: SinkReader, keys: Sequence[str]) -> Inventory | Unread:
    try:
        return sink.inventory(keys)
    except SinkUnread as error:
        return Unread(error.message)


def _listing(api: TokenReader, user: UserId) -> Listing:
    try:
        return api.tokens(user)
    except Gone:
        return ()  # the server says in so many words that there is no such user: its tokens went too
    except Unauthenticated:
        raise
    except ApiError as error:
        return Unread(error.message)


def _resolved(wanted: TokenSet, owners: Mapping[UserId, UserId | Unread]) -> TokenSet:
    """With the ids of their users; what has none keeps what is written."""

    def known(entry: _Wanted) -> _Wanted:
        found = owners[entry.user]
        return entry if isinstance(found, Unread) else replace(entry, user=found)

    specs = tuple(known(spec) for spec in wanted.specs)
    tombstones = tuple(known(stone) for stone in wanted.tombstones)
    _refuse_doubles(specs, tombstones)
    return replace(wanted, specs=specs, tombstones=tombstones)


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


def _received(set_name: SetName, sinks: Mapping[SinkName, Inventory | Unread]) -> set[UserId]:
    """Users whose tokens receipts of this set name."""
    seen = [each for each in sinks.values() if not isinstance(each, Unread)]
    receipts = [receipt_of(entry) for each in seen for entry in each.entries.values()]
    ours = [each for each in receipts if each is not None and each.set == set_name]
    return {ref.user for receipt in ours for ref in receipt.named}
