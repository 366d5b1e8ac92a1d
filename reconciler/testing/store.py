"""What a test of a sink provides: one store, and every way to it that the contract needs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, runtime_checkable

from reconciler.core.ports import Sink


class StoreUnderTest(Protocol):
    """One empty store. The classes below say what it may offer beyond this, to be tested harder."""

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
        """Within it every write fails, before or after it took effect: put, amend, register, delete."""
        ...

    def unreadable(self) -> AbstractContextManager[object]:
        """Within it nobody can read: no permission, no network."""
        ...


@runtime_checkable
class Hangs(Protocol):
    """A store that can be made to answer nothing."""

    def hanging(self, what: Literal["reads", "writes"]) -> AbstractContextManager[float]:
        """Within it these take effect, and get no answer. Gives the seconds that a call may take."""
        ...


@runtime_checkable
class Lists(Protocol):
    """A store that shows all that is in it, to somebody who knows nothing of sinks."""

    def listing(self) -> object:
        """All that is there; equal as long as nothing changes."""
        ...


@runtime_checkable
class Forbids(Protocol):
    """A store that knows permissions."""

    def read_only(self) -> AbstractContextManager[object]:
        """Within it the sink may read, and not write."""
        ...


@runtime_checkable
class Limits(Protocol):
    """A store with little room."""

    def limit(self) -> int:
        """The most bytes of a receipt, as one line of JSON, that fit."""
        ...


@runtime_checkable
class NamesBadKeys(Protocol):
    """A store whose keys are not like paths or variables."""

    def bad_keys(self) -> Sequence[str]:
        """Keys that the sink must refuse, besides the empty one and one with a NUL."""
        ...


@runtime_checkable
class FoldsCase(Protocol):
    """A store that takes `KEY` and `key` for one place, and whose KeyRule says so."""

    folds_case: Literal[True]


@runtime_checkable
class Pages(Protocol):
    """A store that answers a bulk read in pages."""

    def page(self) -> int:
        """How many records one answer may have; 20 where nothing is said."""
        ...


@runtime_checkable
class Slow(Protocol):
    """A store of which each call starts programs or waits: races are run once, and few records are made."""

    is_slow: Literal[True]


BAD_KEYS = ("..", "a/../b", "/a", "a b", "a\n", "ü")
PAGE = 20


def bad_keys(store: StoreUnderTest) -> tuple[str, ...]:
    given = store.bad_keys() if isinstance(store, NamesBadKeys) else BAD_KEYS
    return ("", "a\0b", *given)


def page(store: StoreUnderTest) -> int:
    if isinstance(store, Slow):
        return 1
    return store.page() if isinstance(store, Pages) else PAGE
