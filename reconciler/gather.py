"""Look at everything once and freeze it: users, live tokens, sinks, one instant. Takes readers only.

One `GET /api/users`, one token list per user in scope, one bulk read per sink (DESIGN §4, §9). What
could not be read becomes `Unread` and stays visible; nothing here ever turns a failure into "empty".

The order carries meaning, however long each step takes. The instant comes first: what had passed the
grace by then was stored by then, or never will be, so the sinks show it. Sinks come before the lists:
what a receipt names and no list shows is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from reconciler.core.aim import Aim
from reconciler.core.people import Directory
from reconciler.core.ports import SinkReader, TokenReader
from reconciler.core.receipts import Inventory, SinkName
from reconciler.core.spec import TokenSet
from reconciler.core.tokens import Listing, Unread, UserId
from reconciler.core.world import World
from reconciler.errors import ApiError, Gone, SinkUnread, Unauthenticated

CONCURRENCY: Final = 8


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look.

    Attributes:
        server: The management URL, as registrations and plans name it.
    """

    api: TokenReader
    sinks: Mapping[SinkName, SinkReader]
    server: str


@dataclass(frozen=True, slots=True)
class Beyond:
    """What else to look at, besides what the set needs.

    Attributes:
        wanted: Another set, with its users and its places.
        services: Every service user of the account, so that any entry can be planned from the look.
    """

    wanted: TokenSet | None = None
    services: bool = False


NOTHING_ELSE: Final = Beyond()


def gather(wanted: TokenSet, sources: Sources, beyond: Beyond = NOTHING_ELSE) -> World:
    """Read everything once.

    Raises:
        ApiError: The user list could not be read, or does not say who we are.
        InputError: Two entries turn out to name one token of one user.
    """
    users = sources.api.users()
    now = sources.api.server_time()
    people = Directory(users)
    aim = Aim.of(wanted, people)
    others = [Aim.of(beyond.wanted, people)] if beyond.wanted else []
    with _readers() as pool:
        inventories = {
            name: pool.submit(_inventory, sink, _keys([wanted, *(o.wanted for o in others)], name))
            for name, sink in sources.sinks.items()
        }
        sinks = {name: future.result() for name, future in inventories.items()}
        scope = aim.scope(sinks).union(*(other.scope(sinks) for other in others))
        if beyond.services:
            scope |= {user.id for user in users if user.is_service_user}
        listings = {user: pool.submit(_listing, sources.api, user) for user in sorted(scope)}
        resolved = aim.resolved()  # while the lists are on their way
        # All at once: waking up for each one would take time from those that read.
        wait(listings.values(), return_when=FIRST_EXCEPTION)
        live: dict[UserId, Listing] = {user: each.result() for user, each in listings.items()}
    return World(
        wanted=resolved,
        server=sources.server,
        principal=people.principal.id,
        now=now,
        users=people.by_id,
        live=live | aim.unresolved,
        sinks=sinks,
    )


@contextmanager
def _readers() -> Iterator[Executor]:
    """Threads that read. Whatever ends the block early, what is still queued is not begun."""
    pool = ThreadPoolExecutor(CONCURRENCY)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _keys(sets: Iterable[TokenSet], sink: SinkName) -> list[str]:
    specs = (spec for each in sets for spec in each.specs)
    return sorted({place.key for spec in specs for place in spec.places if place.sink == sink})


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
