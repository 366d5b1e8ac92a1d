"""What is written comes back: values, receipts, registrations."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.receipts import ABSENT, Absent, SetName
from reconciler.core.tokens import UserId
from reconciler.testing.contents import REGISTERED, plain, put, receipt, stored, version_at
from reconciler.testing.store import page
from reconciler.testing.watching import Watched, Watching


class Keeping(Watching):
    """What is written comes back."""

    def test_an_empty_store_says_so(self, watched: Watched) -> None:
        sink = watched.sink()
        assert isinstance(sink.read(watched.key(1)), Absent)
        found = sink.inventory([watched.key(1)])
        assert (dict(found.entries), dict(found.registrations)) == ({}, {})

    def test_a_consumer_reads_what_was_put(self, watched: Watched) -> None:
        put(watched.sink(), watched.key(1), 1)
        other = watched.sink()
        assert watched.value(watched.key(1)) == plain(1)
        assert stored(other, watched.key(1)) == receipt(1)
        assert other.inventory([]).entries[watched.key(1)] == other.read(watched.key(1))

    def test_a_second_value_takes_the_place_of_the_first(self, watched: Watched) -> None:
        sink = watched.sink()
        put(sink, watched.key(1), 1)
        before = sink.read(watched.key(1))
        put(sink, watched.key(1), 2)
        assert watched.value(watched.key(1)) == plain(2)
        assert stored(sink, watched.key(1)) == receipt(2)
        assert sink.read(watched.key(1)) != before

    def test_places_do_not_touch_each_other(self, watched: Watched) -> None:
        sink = watched.sink()
        for number in (1, 2, 3):
            put(sink, watched.key(number), number)
        assert sink.delete(watched.key(2), receipt(2).token.id)
        assert [watched.value(watched.key(n)) for n in (1, 2, 3)] == [plain(1), None, plain(3)]
        assert set(sink.inventory([]).entries) == {watched.key(1), watched.key(3)}

    def test_a_bulk_read_has_more_than_a_page(self, watched: Watched) -> None:
        keys = [watched.key(number) for number in range(1, page(watched.store) + 2)]
        for number, key in enumerate(keys, 1):
            put(watched.sink(), key, number, ABSENT)
        assert set(watched.sink().inventory([]).entries) == set(keys)

    def test_registrations_are_kept_by_set(self, watched: Watched) -> None:
        sink = watched.sink()
        known = {name: replace(REGISTERED, set=SetName(name)) for name in ("platform", "other")}
        for registration in known.values():
            sink.register(registration)
        moved = replace(known["platform"], principal=UserId("another"))
        sink.register(moved)
        put(sink, watched.key(1), 1)
        found = watched.sink().inventory([])
        assert dict(found.registrations) == {**known, "platform": moved}
        assert set(found.entries) == {watched.key(1)}

    def test_a_receipt_can_be_amended_and_the_value_stays(self, watched: Watched) -> None:
        sink = watched.sink()
        put(sink, watched.key(1), 1)
        after = receipt(1, protect=False)
        sink.amend(watched.key(1), after, version_at(sink, watched.key(1)))
        assert stored(sink, watched.key(1)) == after
        assert watched.value(watched.key(1)) == plain(1)
