"""Others write, too: another run, and people who know nothing of receipts."""

from __future__ import annotations

import pytest

from reconciler.core.ports import Power
from reconciler.core.receipts import ABSENT, Damaged, Version
from reconciler.errors import SinkRefused
from reconciler.testing.contents import FOREIGN, plain, put, receipt, stored, version_at
from reconciler.testing.watching import Watched, Watching


class Sharing(Watching):
    """Others write, too."""

    def test_a_place_that_changed_since_the_plan_is_refused(self, watched: Watched) -> None:
        sink = watched.sink()
        put(sink, watched.key(1), 1)
        with pytest.raises(SinkRefused):
            put(sink, watched.key(1), 2, ABSENT)
        with pytest.raises(SinkRefused):
            sink.amend(watched.key(1), receipt(1, protect=False), Version("another"))
        assert stored(sink, watched.key(1)) == receipt(1)

    def test_the_same_put_twice_is_one(self, watched: Watched) -> None:
        sink = watched.sink()
        put(sink, watched.key(1), 1, ABSENT)
        put(sink, watched.key(1), 1, ABSENT)
        assert stored(sink, watched.key(1)) == receipt(1)

    def test_a_value_that_somebody_wrote_over_ours_is_not_vouched_for(
        self, watched: Watched
    ) -> None:
        sink = watched.sink()
        put(sink, watched.key(1), 1)
        watched.plant(watched.key(1), plain(9))
        assert isinstance(sink.read(watched.key(1)), Damaged)
        assert isinstance(sink.inventory([watched.key(1)]).entries[watched.key(1)], Damaged)

    def test_a_foreign_value_is_seen_and_not_overwritten(self, watched: Watched) -> None:
        sink = watched.sink()
        watched.plant(watched.key(1), FOREIGN)
        held = sink.read(watched.key(1))
        assert isinstance(held, Damaged)
        assert held.receipt is None
        assert sink.inventory([watched.key(1)]).entries[watched.key(1)] == held
        with pytest.raises(SinkRefused):
            put(sink, watched.key(1), 1, ABSENT)
        assert watched.value(watched.key(1)) == FOREIGN

    def test_a_foreign_value_is_taken_over_where_the_plan_saw_it(self, watched: Watched) -> None:
        sink = watched.sink()
        watched.plant(watched.key(1), FOREIGN)
        put(sink, watched.key(1), 1)
        assert (watched.value(watched.key(1)), stored(sink, watched.key(1))) == (
            plain(1),
            receipt(1),
        )

    def test_a_value_that_somebody_changed_since_the_plan_is_not_overwritten(
        self, watched: Watched
    ) -> None:
        sink = watched.sink()
        if sink.power is Power.WRITE_ONLY:
            pytest.skip("it cannot read values, and two changes of one second look alike to it")
        watched.plant(watched.key(1), FOREIGN)
        seen = version_at(sink, watched.key(1))
        watched.plant(watched.key(1), f"{FOREIGN}=")
        with pytest.raises(SinkRefused):
            put(sink, watched.key(1), 1, seen)
        assert watched.value(watched.key(1)) == f"{FOREIGN}="
        put(sink, watched.key(2), 1)
        watched.plant(watched.key(2), plain(8))
        seen = version_at(sink, watched.key(2))
        watched.plant(watched.key(2), plain(9))
        with pytest.raises(SinkRefused):
            put(sink, watched.key(2), 2, seen)
        assert watched.value(watched.key(2)) == plain(9)

    def test_only_what_the_receipt_names_is_deleted(self, watched: Watched) -> None:
        sink = watched.sink()
        put(sink, watched.key(1), 1)
        assert not sink.delete(watched.key(1), receipt(2).token.id)
        assert not sink.delete(watched.key(2), receipt(1).token.id)
        assert watched.value(watched.key(1)) == plain(1)
        watched.plant(watched.key(1), FOREIGN)
        sink.delete(watched.key(1), receipt(1).token.id)
        assert watched.value(watched.key(1)) == FOREIGN
