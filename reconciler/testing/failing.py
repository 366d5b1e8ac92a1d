"""What fails says how far it came, and the next try heals it; what was not read is not empty."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Literal

import pytest

from reconciler.core.ports import Sink
from reconciler.core.receipts import Lookup, receipt_of
from reconciler.core.tokens import Unread
from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure
from reconciler.testing.contents import (
    REGISTERED,
    State,
    plain,
    put,
    receipt,
    state,
    stored,
)
from reconciler.testing.store import Hangs
from reconciler.testing.watching import Watched, Watching
from reconciler.testing.writes import WRITES, Write


class Failing(Watching):
    """What fails."""

    @pytest.mark.parametrize("when", ["before", "after", "silence"])
    @pytest.mark.parametrize("name", WRITES)
    def test_a_write_that_fails_says_how_far_it_came(
        self, watched: Watched, name: str, when: str
    ) -> None:
        """Refused, though it took effect: the token would be revoked, and a consumer reads it."""
        key, write = watched.key(1), WRITES[name]
        put(watched.sink(), key, 1)
        sets = name == "register"
        if sets:
            watched.sink().register(REGISTERED)
        before = state(watched, key, sets=sets)
        with _trouble(watched, when) as most:
            error = _error(partial(write.does, watched.sink(), key, before.version), most)
        after = state(watched, key, sets=sets)
        _judge(write, error, before, after)
        assert error is not None or (name, when) != ("put", "before"), "no word of it"
        if error is not None and when == "before":
            assert after.value == before.value
        if after.value == plain(2):
            assert receipt_of(after.held) == receipt(2), "a value went before its receipt"
        write.does(watched.sink(), key, after.version)
        assert write.is_done(state(watched, key, sets=sets)), "the next try does not heal it"

    def test_unreadable_is_not_empty(self, watched: Watched) -> None:
        key = watched.key(1)
        put(watched.sink(), key, 1)
        with watched.unreadable():
            _check_unread(watched.sink(), key)
        assert stored(watched.sink(), key) == receipt(1)

    def test_a_read_without_an_answer_ends_as_unread(self, watched: Watched) -> None:
        key = watched.key(1)
        put(watched.sink(), key, 1)
        with _silence(watched, "reads") as most:
            began = time.monotonic()
            _check_unread(watched.sink(), key)
            assert time.monotonic() - began < 3 * most


def _trouble(watched: Watched, when: str) -> AbstractContextManager[object]:
    if when == "silence":
        return _silence(watched, "writes")
    return watched.failing("before" if when == "before" else "after")


def _silence(watched: Watched, what: Literal["reads", "writes"]) -> AbstractContextManager[float]:
    if not isinstance(watched.store, Hangs):
        pytest.skip("the store under test cannot be made to hang (`Hangs`)")
    return watched.store.hanging(what)


def _error(does: Callable[[], object], most: object) -> SinkError | None:
    began = time.monotonic()
    try:
        does()
    except SinkError as error:
        return error
    finally:
        assert not isinstance(most, float) or time.monotonic() - began < most
    return None


def _judge(write: Write, error: SinkError | None, before: State, after: State) -> None:
    assert after.is_sound, after
    if error is None:
        assert write.is_done(after), "it said nothing, and was not done"
    elif isinstance(error, SinkRefused):
        assert after == before, "refused, and something was written"
    else:
        assert isinstance(error, SinkUnsure), error
    if write.keeps_value:
        assert after.value == before.value


def _check_unread(sink: Sink, key: str) -> None:
    """Of one place, and in bulk: also of places that nobody asked about."""
    looks: tuple[Callable[[], Lookup], ...] = (
        lambda: sink.read(key),
        lambda: sink.inventory([key]).at(key),
        lambda: sink.inventory([]).at(key),
    )
    for look in looks:
        try:
            found = look()
        except SinkUnread:
            continue
        assert isinstance(found, Unread), found
