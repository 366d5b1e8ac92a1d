"""What sinks say: which token's secret they hold, and since when a set may write to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, NewType

from reconciler.core.tokens import TokenId, Unread, UserId

SetName = NewType("SetName", str)
SinkName = NewType("SinkName", str)
Version = NewType("Version", str)
"""Opaque; changes whenever what a place holds changes. `ABSENT` while it holds nothing."""

ABSENT = Version("")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One key in one sink."""

    sink: SinkName
    key: str

    def __str__(self) -> str:
        return f"{self.sink}:{self.key}"


class Address(NamedTuple):
    """Identity of a spec: a name among one user's tokens. A tuple, for it is the key of every index."""

    user: UserId
    name: str

    def __str__(self) -> str:
        return f"{self.user}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class TokenRef:
    """One token, by id: names never decide."""

    user: UserId
    id: TokenId


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sink says about the secret it holds; never the secret.

    Attributes:
        fingerprint: Binds the receipt to the secret (`Secret.fingerprint`).
        predecessors: Every token this one replaced that was still alive then, so none is forgotten.
        protect: Outlives the entry in the file: removal takes two steps.
        undeployed: A deploy hook is to run for this secret, and has not succeeded yet.
    """

    token: TokenRef
    set: SetName
    name: str
    created_at: datetime
    expires_at: datetime
    fingerprint: str
    rotation: int = 0
    protect: bool = False
    predecessors: tuple[TokenRef, ...] = ()
    undeployed: bool = False

    @property
    def address(self) -> Address:
        return Address(self.token.user, self.name)

    @property
    def named(self) -> tuple[TokenRef, ...]:
        """Every token this receipt speaks of, the current one first."""
        return (self.token, *self.predecessors)


@dataclass(frozen=True, slots=True)
class Registration:
    """Written to a sink before a set's first token is minted for it.

    It tells a crash (our orphan) from a wrong, new or short-lived sink (somebody else's token).

    Attributes:
        server: The management URL.
        principal: The user our credential belonged to.
        since: Server time.
    """

    set: SetName
    server: str
    principal: UserId
    since: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """The place holds the secret that its receipt describes."""

    receipt: Receipt
    version: Version


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something is there that no receipt vouches for.

    Attributes:
        receipt: What the receipt says, if there is one; it does not fit the value. None: a foreign value.
    """

    receipt: Receipt | None
    version: Version
    why: str


@dataclass(frozen=True, slots=True)
class Absent:
    """Looked, and nothing is there."""


Lookup = Stored | Damaged | Absent | Unread


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that one sink holds, from one bulk read. A key that is not listed is absent.

    Attributes:
        remarks: What people should know of it, as whole sentences; no plan follows from them.
    """

    entries: Mapping[str, Stored | Damaged | Unread] = field(default_factory=dict)
    registrations: Mapping[SetName, Registration] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def at(self, key: str) -> Lookup:
        return self.entries.get(key, Absent())


def version_of(lookup: Stored | Damaged | Absent) -> Version:
    """What a conditional write must find unchanged."""
    return ABSENT if isinstance(lookup, Absent) else lookup.version


def receipt_of(lookup: Lookup) -> Receipt | None:
    """The receipt at a place, whether or not the value beside it fits."""
    return lookup.receipt if isinstance(lookup, Stored | Damaged) else None
