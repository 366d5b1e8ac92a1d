"""What is written comes back: values, receipts, registrations."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.receipts import (
    Absent,
    Registration,
    SetName,
    version_of,
)
from reconciler.core.tokens import UserId
from reconciler.testing.store import (
    START,
    StoreUnderTest,
    plain,
    put,
    receipt,
    stored,
)


class Keeping:
    """What is written comes back."""

    def test_an_empty_store_says_so(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        assert isinstance(sink.read(store.key(1)), Absent)
        found = sink.inventory([store.key(1)])
        assert (dict(found.entries), dict(found.registrations)) == ({}, {})

    def test_a_consumer_reads_what_was_put(self, store: StoreUnderTest) -> None:
        put(store.sink(), store.key(1), 1)
        other = store.sink()
        assert store.value(store.key(1)) == plain(1)
        assert stored(other, store.key(1)) == receipt(1)
        assert other.inventory([]).entries[store.key(1)] == other.read(store.key(1))

    def test_a_second_value_takes_the_place_of_the_first(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1)
        before = sink.read(store.key(1))
        put(sink, store.key(1), 2)
        assert store.value(store.key(1)) == plain(2)
        assert stored(sink, store.key(1)) == receipt(2)
        assert sink.read(store.key(1)) != before

    def test_places_do_not_touch_each_other(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        for number in (1, 2, 3):
            put(sink, store.key(number), number)
        assert sink.delete(store.key(2), receipt(2).token.id)
        assert [store.value(store.key(n)) for n in (1, 2, 3)] == [plain(1), None, plain(3)]
        assert set(sink.inventory([]).entries) == {store.key(1), store.key(3)}

    def test_registrations_are_kept_by_set(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        known = {
            name: Registration(SetName(name), "https://netbird.example", UserId("us"), START)
            for name in ("platform", "other")
        }
        for registration in known.values():
            sink.register(registration)
        moved = replace(known["platform"], principal=UserId("another"))
        sink.register(moved)
        put(sink, store.key(1), 1)
        found = store.sink().inventory([])
        assert dict(found.registrations) == {**known, "platform": moved}
        assert set(found.entries) == {store.key(1)}

    def test_a_receipt_can_be_amended_and_the_value_stays(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1)
        after = receipt(1, protect=False)
        sink.amend(store.key(1), after, version_of(sink.read(store.key(1))))  # type: ignore[arg-type]  # it was read
        assert stored(sink, store.key(1)) == after
        assert store.value(store.key(1)) == plain(1)
