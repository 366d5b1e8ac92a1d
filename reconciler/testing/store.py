"""What a test of a sink provides, and what the contract puts into it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from reconciler.core.ports import Sink
from reconciler.core.receipts import (
    Receipt,
    SetName,
    Stored,
    TokenRef,
    Version,
    version_of,
)
from reconciler.core.secret import Secret, checksum
from reconciler.core.tokens import TokenId, Unread, UserId
from reconciler.errors import SinkError

START = datetime(2026, 6, 1, 12, 30, 15, 123456, UTC)
SET = SetName("platform")


class StoreUnderTest(Protocol):
    """One empty store, and every way to it that the contract needs."""

    def sink(self) -> Sink:
        """The sink over this store; each call as another process would make it."""
        ...

    def key(self, number: int) -> str:
        """A key that the sink takes; another number, another place."""
        ...

    def value(self, key: str) -> str | None:
        """What a consumer reads; by another way than the sink's. None if nothing is there."""
        ...

    def plant(self, key: str, value: str) -> None:
        """Somebody writes a value over what is there, and knows nothing of receipts."""
        ...

    def failing(self, when: Literal["before", "after"]) -> AbstractContextManager[object]:
        """Within it writes fail, before or after they took effect."""
        ...

    def unreadable(self) -> AbstractContextManager[object]:
        """Within it nobody can read: no permission, no network."""
        ...


def secret(number: int) -> Secret:
    """A well-formed token that no server knows."""
    return Secret(plain(number))


def plain(number: int) -> str:
    body = f"Conformance{number:019d}"
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


def put(sink: Sink, key: str, number: int, expect: Version | None = None) -> None:
    """Store `secret(number)`, over what is there unless a version is named."""
    if expect is None:
        held = sink.read(key)
        assert not isinstance(held, Unread)
        expect = version_of(held)
    sink.put(key, secret(number), receipt(number), expect)


def stored(sink: Sink, key: str) -> Receipt:
    held = sink.read(key)
    assert isinstance(held, Stored), held
    return held.receipt


def in_turn(actions: list[Callable[[], None]]) -> list[SinkError | None]:
    return [at_once([action])[0] for action in actions]


def at_once(actions: list[Callable[[], None]]) -> list[SinkError | None]:
    outcomes: list[SinkError | None] = [None] * len(actions)
    gate = threading.Barrier(len(actions))

    def run(index: int, action: Callable[[], None]) -> None:
        gate.wait()
        try:
            action()
        except SinkError as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes
