"""What the contract puts into a store, and how it asks what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from reconciler.core.ports import Sink
from reconciler.core.receipts import (
    Absent,
    Lookup,
    Receipt,
    Registration,
    SetName,
    Stored,
    TokenRef,
    Version,
    version_of,
)
from reconciler.core.secret import Secret, checksum
from reconciler.core.tokens import TokenId, Unread, UserId
from reconciler.testing.store import StoreUnderTest

START = datetime(2026, 6, 1, 12, 30, 15, 123456, UTC)
SET = SetName("platform")
TELLING = "Conformance0"
"""In every secret of the contract, and in nothing else."""
FOREIGN = "somebody/elses+value="
REGISTERED = Registration(SET, "https://netbird.example", UserId("us"), START)


def secret(number: int) -> Secret:
    """A well-formed token that no server knows."""
    return Secret(plain(number))


def plain(number: int) -> str:
    body = f"{TELLING}{number:018d}"
    return f"nbp_{body}{checksum(body)}"


def receipt(number: int, **changes: object) -> Receipt:
    """What belongs to `secret(number)`."""
    made = START + timedelta(days=number)
    whole = Receipt(
        token=TokenRef(UserId("auth0|ci-bot"), TokenId(f"{number:020d}")),
        set=SET,
        name="CI/CD Token ✓",
        created_at=made,
        expires_at=made + timedelta(days=90),
        fingerprint=secret(number).fingerprint(),
        rotation=number,
        protect=number % 2 == 1,
        undeployed=number % 2 == 0,
        predecessors=(TokenRef(UserId("auth0|ci-bot"), TokenId(f"{number - 1:020d}")),),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # names of its own fields


def version_at(sink: Sink, key: str) -> Version:
    held = sink.read(key)
    assert not isinstance(held, Unread)
    return version_of(held)


def put(sink: Sink, key: str, number: int, expect: Version | None = None) -> None:
    """Store `secret(number)`, over what is there unless a version is named."""
    seen = version_at(sink, key) if expect is None else expect
    sink.put(key, secret(number), receipt(number), seen)


def stored(sink: Sink, key: str) -> Receipt:
    held = sink.read(key)
    assert isinstance(held, Stored), held
    return held.receipt


@dataclass(frozen=True)
class State:
    """What there is at one key, for a consumer and for the sink; and registrations, where asked for."""

    value: str | None
    held: Lookup
    registrations: Mapping[SetName, Registration] = field(default_factory=dict)

    @property
    def version(self) -> Version:
        assert not isinstance(self.held, Unread)
        return version_of(self.held)

    @property
    def is_sound(self) -> bool:
        """No receipt vouches for a secret that is not there; nothing that is there is called absent."""
        if isinstance(self.held, Stored):
            return self.value == plain(self.held.receipt.rotation)
        return not isinstance(self.held, Absent) or self.value is None


def state(store: StoreUnderTest, key: str, *, sets: bool = False) -> State:
    sink = store.sink()
    known = dict(sink.inventory([]).registrations) if sets else {}
    return State(store.value(key), sink.read(key), known)
