"""What the core needs from outside, as narrow as it can be. Readers cannot write."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol

from reconciler.core.receipts import Inventory, Lookup, Receipt, Registration, Version
from reconciler.core.secret import Secret
from reconciler.core.tokens import LiveToken, TokenId, User, UserId


@dataclass(frozen=True, slots=True)
class Minted:
    """A token a moment after the server made it: the only moment its secret exists outside a sink."""

    token: LiveToken
    secret: Secret


class TokenReader(Protocol):
    """Looks at the service. Every method raises ApiError and nothing else."""

    def users(self) -> tuple[User, ...]:
        """All users that our credential can see."""
        ...

    def tokens(self, user: UserId) -> tuple[LiveToken, ...]:
        """All tokens of one user, expired ones included."""
        ...

    def token(self, user: UserId, token: TokenId) -> LiveToken:
        """One token as it is now. Raises Gone if it is not there."""
        ...

    def server_time(self) -> datetime:
        """The `Date` of the server's first answer in this run, UTC, to the second."""
        ...


class TokenApi(TokenReader, Protocol):
    """Changes the service, too."""

    def create(self, user: UserId, live_name: str, days: int) -> Minted:
        """Mint a token. Raises Uncertain if it may exist although no answer came; never retried."""
        ...

    def revoke(self, user: UserId, token: TokenId) -> None:
        """Revoke a token; that it is gone already (`Gone`) is for the caller to judge."""
        ...

    def switch(self, secret: Secret) -> None:
        """Go on with another credential; raises Unauthenticated, and keeps the old, if it is refused."""
        ...


class Power(IntEnum):
    """How well a sink can protect a write; writes go to the most powerful sinks first."""

    CONDITIONAL = 0
    """Writes only if nothing changed since we looked; value and receipt in one step."""
    UNCONDITIONAL = 1
    """The last writer wins; value and receipt in one step."""
    WRITE_ONLY = 2
    """The value cannot be read back; the receipt is a companion record."""


class SinkReader(Protocol):
    """Looks at a secret store."""

    def inventory(self, keys: Collection[str]) -> Inventory:
        """All receipts and registrations, and what is at `keys`, in one bulk read. Raises SinkUnread."""
        ...


class Sink(SinkReader, Protocol):
    """Writes a secret store. Writers raise SinkRefused (definitely not written) or SinkUnsure."""

    @property
    def power(self) -> Power: ...

    def preflight(self, key: str) -> None:
        """Prove that `put` would be allowed, and leave nothing behind. Raises SinkRefused."""
        ...

    def register(self, registration: Registration) -> None:
        """Write a registration over any other of its set."""
        ...

    def put(self, key: str, secret: Secret, receipt: Receipt, expect: Version) -> None:
        """Store secret and receipt together; refused when the place is no longer at `expect`."""
        ...

    def amend(self, key: str, receipt: Receipt, expect: Version) -> None:
        """Replace the receipt and keep the secret; refused when the place is no longer at `expect`."""
        ...

    def read(self, key: str) -> Lookup:
        """What one place holds now, proved as far as the store can prove it. Raises SinkUnread."""
        ...

    def delete(self, key: str, token: TokenId) -> bool:
        """Remove secret and receipt if the receipt still names this token; whether it did."""
        ...
