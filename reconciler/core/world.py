"""Everything a plan is made from, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.receipts import (
    Address,
    Inventory,
    Lookup,
    Place,
    Registration,
    SetName,
    SinkName,
)
from reconciler.core.spec import TokenSet
from reconciler.core.tokens import Listing, TokenId, Unread, User, UserId

GRACE: Final = timedelta(minutes=15)
"""Nobody revokes a token younger than this, unless that very run minted it (sinks.md §7)."""

BY_HAND: Final = SetName("by-hand")
"""The set in receipts of tokens that `create --sink` made; no file can have this name."""


@dataclass(frozen=True, slots=True)
class Requests:
    """What the operator asked for by name on the command line, as exactly as the file says it.

    Attributes:
        rotate: What to renew now, with `rotate_reason`.
        compromised: The old tokens of `rotate` go as soon as the new secret is stored.
        allow_reissue: What may be minted although an earlier secret may exist elsewhere.
        allow_revoke: What no guard and no protection holds up to remove; also by token id.
        accept_registration: Sinks whose registration of another server or principal is replaced.
    """

    rotate: frozenset[Address] = frozenset()
    rotate_reason: str = ""
    compromised: bool = False
    allow_reissue: frozenset[Address] = frozenset()
    allow_revoke: frozenset[Address | TokenId] = frozenset()
    accept_registration: frozenset[SinkName] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """One look at everything.

    Attributes:
        wanted: The set, with every user resolved to an id.
        now: The server's clock at its first answer; the only clock there is.
        users: All users that our credential can see; Unread forbids nothing by itself.
        live: Tokens by user, for every user in scope.
        sinks: Every configured sink.
        is_past: Whether somebody else looked, some time ago: good to plan from, never to act on.
    """

    wanted: TokenSet
    server: str
    principal: UserId
    now: datetime
    users: Mapping[UserId, User]
    live: Mapping[UserId, Listing]
    sinks: Mapping[SinkName, Inventory | Unread]
    requests: Requests = field(default_factory=Requests)
    is_past: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people should know of the sinks; keys are plain ASCII, so nothing needs escaping."""
        looked = {name: s for name, s in self.sinks.items() if isinstance(s, Inventory)}
        return tuple(f"sink {name}: {text}" for name, s in looked.items() for text in s.remarks)

    def at(self, place: Place) -> Lookup:
        sink = self.sinks[place.sink]
        return sink if isinstance(sink, Unread) else sink.at(place.key)

    def registration(self, sink: SinkName) -> Registration | None:
        inventory = self.sinks[sink]
        if isinstance(inventory, Unread):
            return None
        return inventory.registrations.get(self.wanted.name)

    def is_ours(self, registration: Registration) -> bool:
        """Whether it was made at this server and by this principal."""
        return (registration.server, registration.principal) == (self.server, self.principal)
