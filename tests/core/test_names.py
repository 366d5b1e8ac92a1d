"""What people call a token, and that every hint can be typed as it stands."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from worlds import BOT, US, held, spec, token, tombstone, world

from reconciler.core.names import Names
from reconciler.core.receipts import Address
from reconciler.core.tokens import User, UserId

X = UserId("x")
WORDS = st.sampled_from(["a", "b", "a/b", "b/a", "current", "bot", "us", "us/a", "/", "u/", "x"])
IDS = st.sampled_from([US, BOT, X, UserId("a"), UserId("b/a"), UserId("bot/a")])


def test_a_name_is_enough_where_one_entry_has_it() -> None:
    names = Names(world([spec("a"), spec("a", user=X), spec("b")], tombstones=[tombstone("c")]))
    assert names.meant("b", names.specs) == [Address(BOT, "b")]
    assert names.meant("a", names.specs) == [Address(BOT, "a"), Address(X, "a")]
    assert names.meant("x/a", names.specs) == [Address(X, "a")]
    assert names.meant("c", names.specs) == []
    assert names.meant("c", names.set) == [Address(BOT, "c")]
    assert names.meant("nobody", names.set, names.live) == []


def test_beside_an_entry_nobody_means_a_strangers_token_of_its_name() -> None:
    stranger, alone = token("1", "a", user=X), token("2", "only", user=X)
    names = Names(world([spec("a")], [stranger, alone]))
    assert names.meant("a", names.set, names.live) == [Address(BOT, "a")]
    assert names.meant("x/a", names.set, names.live) == [Address(X, "a")]
    assert names.meant("only", names.set, names.live) == [Address(X, "only")]


def test_what_only_a_receipt_speaks_of_has_a_name_too() -> None:
    gone = token("1", "gone")
    names = Names(world([spec("a")], [], held(gone)))
    assert names.meant("gone", names.set) == [Address(BOT, "gone")]


def test_a_user_is_called_by_id_by_name_or_current() -> None:
    of = world([spec("a"), spec("a", user=US)])
    called = {**of.users, BOT: User(BOT, "ci/bot", "user", is_service_user=True, is_current=False)}
    names = Names(replace(of, users=called))
    for written in ("bot/a", "ci/bot/a"):
        assert names.meant(written, names.specs) == [Address(BOT, "a")]
    assert names.meant("current/a", names.specs) == [Address(US, "a")]
    assert names.spelled(Address(BOT, "a")) == "ci/bot/a"


@given(
    entries=st.lists(st.tuples(IDS, WORDS), max_size=5, unique=True),
    live=st.lists(st.tuples(IDS, WORDS), max_size=5),
    display=st.lists(WORDS, min_size=6, max_size=6),
)
def test_a_spelling_means_its_address(
    entries: list[tuple[UserId, str]], live: list[tuple[UserId, str]], display: list[str]
) -> None:
    tokens = [token(str(number), name, user=user) for number, (user, name) in enumerate(live)]
    of = world([spec(name, user=user) for user, name in entries], tokens)
    users = {
        id_: replace(user, name=name)
        for (id_, user), name in zip(sorted(of.users.items()), display, strict=False)
    }
    names = Names(replace(of, users=users))
    for user, name in [*entries, *live]:
        address = Address(user, name)
        found = names.meant(names.spelled(address), names.set, names.live)
        assert address in found
        assert found == [address] or names.spelled(address) == str(address)
