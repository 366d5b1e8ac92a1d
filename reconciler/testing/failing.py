"""What fails says how far it came; what is refused leaves nothing; nothing tells a secret."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import pytest

from reconciler.core.receipts import (
    ABSENT,
    Absent,
    Damaged,
    Stored,
    TokenRef,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, Unread, UserId
from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure
from reconciler.testing.store import (
    StoreUnderTest,
    plain,
    put,
    receipt,
    secret,
    stored,
)


class Failing:
    """What fails, and what never happens."""

    def test_unreadable_is_not_empty(self, store: StoreUnderTest) -> None:
        put(store.sink(), store.key(1), 1)
        with store.unreadable():
            sink = store.sink()
            with suppress(SinkUnread):
                assert isinstance(sink.read(store.key(1)), Unread)
            with suppress(SinkUnread):
                assert isinstance(sink.inventory([store.key(1)]).at(store.key(1)), Unread)
        assert stored(store.sink(), store.key(1)) == receipt(1)

    def test_a_write_that_fails_before_it_took_effect_changes_nothing(
        self, store: StoreUnderTest
    ) -> None:
        sink = store.sink()
        put(sink, store.key(1), 1)
        with store.failing("before"), pytest.raises((SinkRefused, SinkUnsure)):
            put(sink, store.key(1), 2)
        assert store.value(store.key(1)) == plain(1)

    def test_a_write_whose_answer_is_lost_is_unsure_and_heals(self, store: StoreUnderTest) -> None:
        """Refused would be a lie: the token would be revoked, and a consumer reads it."""
        sink = store.sink()
        put(sink, store.key(1), 1)
        with store.failing("after"), suppress(SinkUnsure):
            put(sink, store.key(1), 2)
        fresh = store.sink()
        held = fresh.read(store.key(1))
        if isinstance(held, Stored):
            assert store.value(store.key(1)) == plain(held.receipt.rotation)
        else:
            assert isinstance(held, Damaged)
        put(fresh, store.key(1), 3)
        assert (store.value(store.key(1)), stored(fresh, store.key(1))) == (plain(3), receipt(3))

    def test_a_preflight_leaves_nothing_behind(self, store: StoreUnderTest) -> None:
        sink = store.sink()
        sink.preflight(store.key(1))
        assert store.value(store.key(1)) is None
        assert isinstance(store.sink().read(store.key(1)), Absent)
        put(sink, store.key(1), 1)
        before = store.sink().read(store.key(1))
        sink.preflight(store.key(1))
        assert store.sink().read(store.key(1)) == before
        assert store.value(store.key(1)) == plain(1)

    def test_a_preflight_refuses_where_a_write_would_fail(self, store: StoreUnderTest) -> None:
        with store.failing("before"), pytest.raises(SinkError):
            store.sink().preflight(store.key(1))
            put(store.sink(), store.key(1), 1)

    @pytest.mark.parametrize("key", ["", "..", "a/../b", "/a", "a b", "a\n", "ü", "a\0b"])
    def test_a_key_that_does_not_fit_is_refused(self, store: StoreUnderTest, key: str) -> None:
        with pytest.raises(SinkRefused):
            store.sink().preflight(key)
        with pytest.raises(SinkRefused):
            store.sink().put(key, secret(1), receipt(1), ABSENT)

    def test_what_is_no_token_is_refused(self, store: StoreUnderTest) -> None:
        for text in ("", "nbp_short", plain(1) + "\n", plain(1)[:-1] + '"'):
            with pytest.raises(SinkRefused):
                store.sink().put(store.key(1), Secret(text), receipt(1), ABSENT)
        assert store.value(store.key(1)) is None

    def test_a_receipt_of_any_size_is_kept_or_refused_whole(self, store: StoreUnderTest) -> None:
        many = tuple(TokenRef(UserId("u" * 60), TokenId(f"{n:020d}")) for n in range(30))
        large = receipt(1, name="n" * 255, predecessors=many)
        sink = store.sink()
        try:
            sink.put(store.key(1), secret(1), large, ABSENT)
        except SinkRefused:
            assert store.value(store.key(1)) is None
        else:
            assert stored(sink, store.key(1)) == large

    def test_nothing_tells_a_secret(
        self, store: StoreUnderTest, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said: list[str] = []
        moments: tuple[Literal["before", "after"], ...] = ("before", "after")
        for when in moments:
            sink = store.sink()
            with store.failing(when):
                try:
                    put(sink, store.key(1), 1)
                except SinkError as error:
                    said += ["".join(traceback.format_exception(error)), error.hint, repr(error)]
            dumps: tuple[Callable[[object], object], ...] = (
                repr,
                str,
                vars,
                copy.copy,
                pickle.dumps,
            )
            for dump in dumps:
                with suppress(
                    Exception
                ):  # some cannot be dumped at all, which tells nothing either
                    said.append(repr(dump(sink)))
        text = "\n".join([*said, caplog.text])
        assert plain(1) not in text
        assert plain(1)[4:34] not in text
