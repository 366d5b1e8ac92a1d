"""What is refused is refused before anything is written, and a preflight is no write."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest

from reconciler.core.receipts import ABSENT, Absent, Receipt, TokenRef
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, UserId
from reconciler.errors import SinkRefused
from reconciler.sinks.receipt_text import receipt_to_json, to_text
from reconciler.testing.contents import REGISTERED, plain, put, receipt, secret, state, stored
from reconciler.testing.store import FoldsCase, Forbids, Limits, Lists, bad_keys
from reconciler.testing.watching import Watched, Watching


class Refusing(Watching):
    """What never happens."""

    def test_a_preflight_leaves_nothing_behind(self, watched: Watched) -> None:
        """Nothing at an empty place, nothing at a full one, nothing beside them."""
        for full in (False, True):
            if full:
                put(watched.sink(), watched.key(1), 1)
                watched.sink().register(REGISTERED)
            before = _everything(watched)
            watched.sink().preflight(watched.key(1))
            assert _everything(watched) == before
            assert isinstance(watched.sink().read(watched.key(1)), Absent) is not full

    def test_a_preflight_can_fail(self, watched: Watched) -> None:
        """One that lets pass a store that takes no write, or that is out of reach, proves nothing."""
        put(watched.sink(), watched.key(1), 1)
        troubles = (watched.failing("before"), watched.unreadable())
        assert any(_is_refused(watched, trouble) for trouble in troubles)

    def test_a_preflight_refuses_where_a_write_is_not_allowed(self, watched: Watched) -> None:
        if not isinstance(watched.store, Forbids):
            pytest.skip("the store under test knows no permissions (`Forbids`)")
        assert _is_refused(watched, watched.store.read_only())

    def test_a_key_that_does_not_fit_is_refused(self, watched: Watched) -> None:
        for key in bad_keys(watched.store):
            with pytest.raises(SinkRefused):
                watched.sink().preflight(key)
            with pytest.raises(SinkRefused):
                watched.sink().put(key, secret(1), receipt(1), ABSENT)

    def test_keys_in_another_case_are_other_places(self, watched: Watched) -> None:
        """Unless the rule says so: two entries would take one place for two."""
        if isinstance(watched.store, FoldsCase):
            pytest.skip("the store under test folds case, and says so")
        key, other = watched.key(1), watched.key(1).swapcase()
        try:
            watched.sink().preflight(other)
        except SinkRefused:
            pytest.skip(f"the store under test takes {key}, and no {other}")
        put(watched.sink(), key, 1)
        assert isinstance(watched.sink().read(other), Absent)
        put(watched.sink(), other, 2, ABSENT)
        assert (watched.value(key), watched.value(other)) == (plain(1), plain(2))

    def test_what_is_no_token_is_refused(self, watched: Watched) -> None:
        key = watched.key(1)
        for text in ("", "nbp_short", plain(1) + "\n", plain(1)[:-1] + '"'):
            with pytest.raises(SinkRefused):
                watched.sink().put(key, Secret(text), receipt(1), ABSENT)
        assert watched.value(key) is None

    def test_a_receipt_of_any_size_is_kept_or_refused_whole(self, watched: Watched) -> None:
        many = tuple(TokenRef(UserId("u" * 60), TokenId(f"{n:020d}")) for n in range(30))
        large = receipt(1, name="n" * 255, predecessors=many)
        try:
            watched.sink().put(watched.key(1), secret(1), large, ABSENT)
        except SinkRefused:
            _check_empty(watched)
        else:
            assert stored(watched.sink(), watched.key(1)) == large

    def test_what_just_fits_is_kept_and_a_byte_more_is_refused(self, watched: Watched) -> None:
        if not isinstance(watched.store, Limits):
            pytest.skip("the store under test names no limit (`Limits`)")
        limit, key = watched.store.limit(), watched.key(1)
        with pytest.raises(SinkRefused):
            watched.sink().put(key, secret(1), _sized(limit + 1), ABSENT)
        _check_empty(watched)
        watched.sink().put(key, secret(1), _sized(limit), ABSENT)
        assert stored(watched.sink(), key) == _sized(limit)
        assert watched.value(key) == plain(1)


def _everything(watched: Watched) -> tuple[object, ...]:
    """For the sink, for a consumer, and for somebody who lists the store, where one can."""
    found = watched.sink().inventory([watched.key(1)])
    shown = watched.store.listing() if isinstance(watched.store, Lists) else None
    held = state(watched, watched.key(1))
    return dict(found.entries), dict(found.registrations), held, shown


def _is_refused(watched: Watched, trouble: AbstractContextManager[object]) -> bool:
    with trouble:
        try:
            watched.sink().preflight(watched.key(1))
        except SinkRefused:
            return True
    return False


def _check_empty(watched: Watched) -> None:
    assert watched.value(watched.key(1)) is None
    assert isinstance(watched.sink().read(watched.key(1)), Absent)


def _sized(size: int) -> Receipt:
    """A receipt that is this many bytes as text."""
    rest = len(to_text(receipt_to_json(receipt(1, name="n"))))
    assert size > rest, f"no store can do with less than {rest} bytes"
    return receipt(1, name="n" * (1 + size - rest))
