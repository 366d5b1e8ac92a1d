"""Two at one place at the same moment: two runs that write, and one that reads while another writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from reconciler.core.ports import Power
from reconciler.core.receipts import Lookup, Stored
from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.testing.contents import State, plain, put, state, version_at
from reconciler.testing.interleaving import Call, Does, Two, amid, in_turn, together
from reconciler.testing.store import Slow
from reconciler.testing.watching import Watched, Watching
from reconciler.testing.writes import WRITES, Write, putting

Seen = tuple[object, Lookup, Lookup, object]


class Racing(Watching):
    """Several at once."""

    @pytest.mark.parametrize("rival", ["put", "amend", "delete"])
    def test_of_two_writers_of_one_version_at_most_one_is_stored(
        self, watched: Watched, rival: str
    ) -> None:
        writes = (putting(3), WRITES[rival])
        for order in (writes, writes[::-1]):
            for calls in _amid(watched, partial(_writers, watched, order)):
                _judge(watched, order, calls)
        _judge(watched, writes, _at_once(watched, *_writers(watched, writes)))

    def test_a_reader_beside_a_writer_sees_no_half(self, watched: Watched) -> None:
        """A value without its receipt would be called foreign, and be replaced or left for ever."""

        def beside() -> Two:
            return _reader_and_writer(watched)

        def amidst() -> Two:
            return beside()[::-1]

        if isinstance(watched.store, Slow):
            calls = [together(*beside())]
        else:
            calls = [*amid(beside), *(each[::-1] for each in amid(amidst))]
        for reader, writer in calls:
            assert writer.is_done, writer.error
            assert reader.error is None or isinstance(reader.error, SinkUnread), reader.error
            if isinstance(reader.said, tuple):
                _check_whole(watched.power, *reader.said)


def _amid(watched: Watched, prepare: Callable[[], Two]) -> Iterator[tuple[Call, ...]]:
    if watched.power is not Power.WRITE_ONLY and not isinstance(watched.store, Slow):
        yield from amid(prepare)


def _at_once(watched: Watched, one: Does, two: Does) -> tuple[Call, ...]:
    # Where nobody can read the value, the election lets only one write at a time (PROTOCOL.md).
    if watched.power is Power.WRITE_ONLY:
        return in_turn(one, two)
    return together(one, two)


def _writers(watched: Watched, writes: tuple[Write, Write]) -> Two:
    key = watched.key(1)
    put(watched.sink(), key, 1)
    seen = version_at(watched.sink(), key)
    one, two = (partial(each.does, watched.sink(), key, seen) for each in writes)
    return one, two


def _judge(watched: Watched, writes: tuple[Write, Write], calls: tuple[Call, ...]) -> None:
    now, power = state(watched, watched.key(1)), watched.power
    assert now.is_sound, now
    told: list[Write] = []
    for write, call in zip(writes, calls, strict=True):
        refusals = SinkRefused if power is Power.CONDITIONAL else (SinkRefused, SinkUnsure)
        assert call.error is None or isinstance(call.error, refusals), call.error
        told += [write] if call.is_done else []
    if power is Power.CONDITIONAL:
        for write in writes:
            assert write in told or not write.is_done(now), "it is there, and nobody was told"
            assert write not in told or _is_kept(write, now), (
                "it was told as done, and is not there"
            )


def _is_kept(write: Write, now: State) -> bool:
    """A secret that went may have been replaced right after; one that was stored must be there."""
    return now.value != plain(1) if write is WRITES["delete"] else write.is_done(now)


def _reader_and_writer(watched: Watched) -> Two:
    key = watched.key(1)
    put(watched.sink(), key, 1)
    seen = version_at(watched.sink(), key)
    return partial(_look, watched, key), partial(putting(2).does, watched.sink(), key, seen)


def _look(watched: Watched, key: str) -> Seen:
    sink = watched.sink()
    before = _consumed(watched, key)
    return before, sink.read(key), sink.inventory([key]).at(key), _consumed(watched, key)


def _consumed(watched: Watched, key: str) -> object:
    try:
        return watched.value(key)
    except Exception:  # noqa: BLE001 - a tool that writes in place: for a moment it reads nothing itself
        return object()  # equal to nothing


def _check_whole(power: Power, before: object, one: Lookup, bulk: Lookup, after: object) -> None:
    for held in (one, bulk):
        if isinstance(held, Unread):
            continue
        if power is not Power.WRITE_ONLY:
            assert isinstance(held, Stored), held
        if isinstance(held, Stored) and before == after:
            assert before == plain(held.receipt.rotation)
