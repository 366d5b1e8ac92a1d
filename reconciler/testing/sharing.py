"""Others write, too: another run, and people who know nothing of receipts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from reconciler.core.ports import Power
from reconciler.core.receipts import (
    ABSENT,
    Damaged,
    Version,
    version_of,
)
from reconciler.errors import SinkRefused
from reconciler.testing.store import (
    StoreUnderTest,
    at_once,
    in_turn,
    plain,
    put,
    receipt,
    stored,
)


class Sharing:
    """Others write, too."""

    def test_of_two_writers_of_one_version_at_most_one_is_stored(
        self, store: StoreUnderTest
    ) -> None:
        put(store.sink(), store.key(1), 1)
        seen = version_of(store.sink().read(store.key(1)))  # type: ignore[arg-type]  # it was read
        writers: list[Callable[[], None]] = [
            partial(put, store.sink(), store.key(1), n, seen) for n in (2, 3)
        ]
        # Where nobody can read the value, the election lets only one write at a time (PROTOCOL.md).
        alone = store.sink().power is Power.WRITE_ONLY
        outcomes = in_turn(writers) if alone else at_once(writers)
        won = [number for number, error in zip((2, 3), outcomes, strict=True) if error is None]
        held = stored(store.sink(), store.key(1))
        assert store.value(store.key(1)) == plain(held.rotation)
        if store.sink().power is Power.CONDITIONAL:
            assert won == [held.rotation]
            assert [isinstance(error, SinkRefused) for error in outcomes if error] == [True]
        else:
            assert held.rotation in won

    def test_a_place_that_changed_since_the_plan_is_refused(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1)
        with pytest.raises(SinkRefused):
            put(sink, store.key(1), 2, ABSENT)
        with pytest.raises(SinkRefused):
            sink.amend(store.key(1), receipt(1, protect=False), Version("another"))
        assert stored(sink, store.key(1)) == receipt(1)

    def test_the_same_put_twice_is_one(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1, ABSENT)
        put(sink, store.key(1), 1, ABSENT)
        assert stored(sink, store.key(1)) == receipt(1)

    def test_a_value_that_somebody_wrote_over_ours_is_not_vouched_for(
        self, store: StoreUnderTest
    ) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1)
        store.plant(store.key(1), plain(9))
        assert isinstance(sink.read(store.key(1)), Damaged)
        assert isinstance(sink.inventory([store.key(1)]).entries[store.key(1)], Damaged)

    def test_a_foreign_value_is_seen_and_not_overwritten(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        store.plant(store.key(1), "somebody-elses-value")
        held = sink.read(store.key(1))
        assert isinstance(held, Damaged)
        assert held.receipt is None
        assert sink.inventory([store.key(1)]).entries[store.key(1)] == held
        with pytest.raises(SinkRefused):
            put(sink, store.key(1), 1, ABSENT)
        assert store.value(store.key(1)) == "somebody-elses-value"

    def test_a_foreign_value_is_taken_over_where_the_plan_saw_it(
        self, store: StoreUnderTest
    ) -> None:
        sink = store.sink()
        store.plant(store.key(1), "somebody-elses-value")
        put(sink, store.key(1), 1)
        assert (store.value(store.key(1)), stored(sink, store.key(1))) == (plain(1), receipt(1))

    def test_a_value_that_somebody_changed_since_the_plan_is_not_overwritten(
        self, store: StoreUnderTest
    ) -> None:
        sink = store.sink()
        if sink.power is Power.WRITE_ONLY:
            pytest.skip("it cannot read values, and two changes of one second look alike to it")
        store.plant(store.key(1), "somebody-elses-value")
        seen = version_of(sink.read(store.key(1)))  # type: ignore[arg-type]  # it was read
        store.plant(store.key(1), "somebody-elses-later-value")
        with pytest.raises(SinkRefused):
            put(sink, store.key(1), 1, seen)
        assert store.value(store.key(1)) == "somebody-elses-later-value"
        put(sink, store.key(2), 1)
        store.plant(store.key(2), plain(8))
        seen = version_of(sink.read(store.key(2)))  # type: ignore[arg-type]  # it was read
        store.plant(store.key(2), plain(9))
        with pytest.raises(SinkRefused):
            put(sink, store.key(2), 2, seen)
        assert store.value(store.key(2)) == plain(9)

    def test_only_what_the_receipt_names_is_deleted(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1)
        assert not sink.delete(store.key(1), receipt(2).token.id)
        assert not sink.delete(store.key(2), receipt(1).token.id)
        assert store.value(store.key(1)) == plain(1)
        store.plant(store.key(1), "somebody-elses-value")
        sink.delete(store.key(1), receipt(1).token.id)
        assert store.value(store.key(1)) == "somebody-elses-value"
