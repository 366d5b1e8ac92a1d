"""Worlds in which a planner could lose a secret, revoke one in use, or take "could not look" for
"nothing there". Each is something that crashes, people or a wrong credential can really bring about.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from worlds import (
    BOT,
    NOW,
    damaged,
    held,
    inventory,
    later,
    named,
    place,
    receipt,
    spec,
    stored,
    token,
    tombstone,
    world,
)

from reconciler.core.changes import Change, Renew, Revoke
from reconciler.core.planner import make_plan
from reconciler.core.receipts import Inventory, Place, SetName, TokenRef
from reconciler.core.spec import ExpiresOn, Limits, Retire, UnmanagedAction
from reconciler.core.subjects import action_of, name_of, token_of
from reconciler.core.tokens import LiveToken, Unread, UserId
from reconciler.core.world import BY_HAND, World

OLD = token("old", "a", age={"days": 70}, last_used=NOW - timedelta(days=40))
NEW = token("new", "a", last_used=NOW - timedelta(hours=1))
OTHER = SetName("other")
X = UserId("x")


def line(change: Change) -> str:
    live = token_of(change)
    return (
        f"{action_of(change)} {name_of(change)} {live.id if live else '-'} {change.why.reason.code}"
    )


def lines(of: World) -> list[str]:
    return [line(change) for change in make_plan(of).changes]


def doomed(of: World) -> set[str]:
    """Every token that carrying out the plan would revoke."""
    effects = make_plan(of).effects
    plain = {e.token.id for e in effects if isinstance(e, Revoke)}
    return plain | {t.id for e in effects if isinstance(e, Renew) for t in e.retire_now}


def ref(live: LiveToken) -> TokenRef:
    return TokenRef(live.user, live.id)


def stops(of: World) -> list[str]:
    return [guard.id for guard in make_plan(of).stops]


# Adoption


BLOCKING = {
    "a place of another set": stored(receipt(NEW, "else", set=OTHER)),
    "a place that could not be read": Unread("timed out"),
}


@pytest.mark.parametrize("blocking", BLOCKING.values(), ids=BLOCKING)
def test_a_token_to_be_adopted_by_id_is_no_unmanaged_one_while_its_entry_is_blocked(
    blocking: Any,
) -> None:
    legacy = token("legacy", "made by hand", created_by=BOT)
    of = world(
        [spec("a", adopt=legacy.id)], [legacy], inventory({"platform/a": blocking}),
        unmanaged=UnmanagedAction.REVOKE,
    )  # fmt: skip
    assert action_of(make_plan(of).changes[0]) == "blocked"
    assert not doomed(of)


def test_a_crash_while_an_adopted_token_was_renewed_is_healed() -> None:
    """The successor that no sink got has the same name: `adopt: true` must not stumble over it."""
    orphan = token("orphan", "a", age={"days": 8})
    of = world([spec("a", adopt=True)], [OLD, orphan])
    assert lines(of) == ["renew a old due", "revoke a orphan orphan"]
    young = world([spec("a", adopt=True)], [OLD, replace(orphan, created_at=NOW)])
    assert lines(young) == ["renew a old due", "wait a orphan orphan"]


def test_several_tokens_that_a_person_may_have_made_stay_ambiguous() -> None:
    unused = replace(OLD, last_used=None)
    for twins in ([OLD, NEW], [unused, replace(unused, id=NEW.id)]):
        assert lines(world([spec("a", adopt=True)], twins)) == ["blocked a - adopt-ambiguous"]


def test_the_one_token_of_a_name_is_adopted_even_if_it_was_never_used() -> None:
    unused = replace(NEW, last_used=None)
    assert lines(world([spec("a", adopt=True)], [unused])) == ["keep a new adopted"]


def test_a_crash_between_two_sinks_that_held_the_secret_by_hand_is_healed() -> None:
    both = spec("a", adopt=OLD.id, places=(place("a"), place("a", "vault")))
    half = {
        "local": inventory({"platform/a": stored(receipt(NEW, predecessors=(ref(OLD),)))}),
        "vault": inventory({"platform/a": damaged(None)}),
    }
    assert lines(world([both], [OLD, NEW], half)) == [
        "renew a new secret-missing",
        "wait a old pending",
    ]
    without = replace(both, adopt=False)
    assert lines(world([without], [OLD, NEW], half)) == ["blocked a - foreign-secret"]


def test_an_adopted_token_is_not_renewed_while_its_receipt_may_be_in_an_unread_sink() -> None:
    sinks = {"local": inventory(), "vault": Unread("timed out")}
    assert lines(world([spec("a", adopt=True)], [OLD], sinks)) == ["blocked a old unread"]
    assert lines(world([spec("a", adopt=True)], [NEW], sinks)) == ["keep a new adopted"]


def test_an_adopted_token_is_the_predecessor_of_its_successor() -> None:
    """No receipt has named it yet: this is the last time that anybody knows of it."""
    (renewal,) = make_plan(world([spec("a", adopt=True)], [OLD], inventory())).effects
    assert isinstance(renewal, Renew)
    assert renewal.predecessors == (ref(OLD),)


# What is held elsewhere


def test_a_predecessor_that_another_set_holds_is_that_set_s_business() -> None:
    """It may get there while a sink is unread; its receipt there is read again by now."""
    ours = {"platform/a": stored(receipt(NEW, predecessors=(ref(OLD),)))}
    theirs = {"other/a": stored(receipt(OLD, set=OTHER))}
    settled = world([spec("a")], [OLD, NEW], inventory(ours))
    assert doomed(settled) == {"old"}
    shared = world([spec("a")], [OLD, NEW], inventory(ours | theirs))
    assert not doomed(shared)
    assert "blocked a old other-set" in lines(shared)
    by_hand = {"mine/a": stored(receipt(OLD, set=BY_HAND))}
    assert doomed(world([spec("a")], [OLD, NEW], inventory(ours | by_hand))) == {"old"}


def test_a_compromise_spares_what_the_place_of_another_entry_holds() -> None:
    """Two keys were swapped in the file: either place still holds the other entry's secret."""
    b = token("b", "b")
    swapped = [spec("a", places=(place("b"),)), spec("b", places=(place("a"),))]
    asked = {"rotate": named("a"), "compromised": True}
    of = world(swapped, [NEW, b], held(NEW, b), requests=asked)
    assert doomed(of) == {"b"}
    plain = world([spec("a")], [NEW], held(NEW), requests=asked)
    assert doomed(plain) == {"new"}


# Half-written secrets


@pytest.mark.parametrize("last", [date(2026, 5, 31), date(2026, 6, 1)])
def test_on_the_last_day_a_secret_that_may_still_be_read_is_not_retired(last: date) -> None:
    """A write was cut off between receipt and value: the value is still the predecessor's."""
    entry = spec("a", lifetime=ExpiresOn(last), retire=Retire.AFTER_OVERLAP)
    cut = inventory({"platform/a": damaged(receipt(NEW, predecessors=(ref(OLD),)))})
    of = world([entry], [OLD, NEW], cut)
    assert lines(of) == ["wait a old pending", "keep a new ended"]


def test_an_unstored_token_stays_while_a_place_of_its_entry_holds_an_unknown_value() -> None:
    """A sink that wrote value and receipt one after the other may hold just this token's secret."""
    orphan = token("orphan", "a")
    cut = inventory({"platform/a": damaged(receipt(NEW))})
    assert not doomed(world([spec("a")], [NEW, orphan], cut))
    foreign = inventory({"platform/a": damaged(None)})
    for action in UnmanagedAction:
        assert not doomed(world([spec("a")], [orphan], foreign, unmanaged=action))
    whole = inventory({"platform/a": stored(receipt(NEW))})
    assert doomed(world([spec("a")], [NEW, orphan], whole)) == {"orphan"}


# Entries that go


ENDED = {
    "its last token expired": (token("new", "a", days=9), place("a")),
    "its last token outlives it": (NEW, place("a")),
    "it was moved and nothing follows": (NEW, place("elsewhere")),
}


@pytest.mark.parametrize(("last", "where"), ENDED.values(), ids=ENDED)
def test_what_an_ended_entry_replaced_does_not_wait_for_a_successor(
    last: LiveToken, where: Place
) -> None:
    """It would have lived for months beyond the last day in the file."""
    entry = spec("a", lifetime=ExpiresOn(date(2026, 5, 31)), places=(where,))
    chain = inventory({"platform/a": stored(receipt(last, predecessors=(ref(OLD),)))})
    of = world([entry], [OLD, last], chain)
    assert doomed(of) == {"old"}
    assert "clean" not in {action_of(effect) for effect in make_plan(of).effects}


@pytest.mark.parametrize("first", [0, 1])
def test_an_entry_that_let_its_token_expire_is_not_taken_for_a_new_one(first: int) -> None:
    """It was moved, and another took over one of its places: its last token is a predecessor there."""
    last = token("last", "a", days=9)
    heir = token("heir", "b")
    ended, other = spec("a", renew=False, places=(place("x"),)), spec("b", places=(place("y"),))
    places = {
        "platform/a": stored(receipt(last)),
        "platform/y": stored(receipt(heir, predecessors=(ref(last),))),
    }
    of = world([ended, other][:: 1 - 2 * first], [last, heir], inventory(places))
    cleanups = [e.cleanup for e in make_plan(of).effects if isinstance(e, Revoke)]
    assert cleanups in ([], [()])
    assert "keep a - ended" in lines(of)
    later_on = world([ended, other], [heir], inventory(places))
    assert "keep a - ended" in lines(later_on)


def test_the_place_of_a_protected_token_is_not_given_away_in_one_step() -> None:
    """One commit removes its entry and moves another one there: it would be replaced, and then retired."""
    heir = spec("b", places=(place("a"),))
    of = world([heir], [NEW], held(NEW, protect=True))
    assert lines(of) == ["blocked b - protected"]
    asked = replace(of.requests, allow_revoke=named("a"))
    assert lines(replace(of, requests=asked)) == ["renew b new secret-missing"]
    assert lines(world([heir], [], held(NEW, protect=True))) == ["create b - secret-stale"]
    assert lines(world([heir], [NEW], held(NEW))) == ["renew b new secret-missing"]
    other_user = spec("a", user=X)
    assert lines(world([other_user], [NEW], held(NEW, protect=True))) == ["renew a new user-changed"]


def test_a_protected_token_is_no_predecessor_to_be_retired() -> None:
    """Another entry took over one of its two places, and later its own entry went."""
    b = token("b", "b", last_used=NOW)
    both = {
        "platform/b": stored(receipt(b, predecessors=(ref(OLD),))),
        "platform/a": stored(receipt(OLD, protect=True)),
    }
    assert lines(world([spec("b")], [OLD, b], inventory(both))) == [
        "blocked b old protected",
        "keep b b in-sync",
    ]


def test_a_receipt_outlives_its_token_while_it_is_the_last_word_about_another() -> None:
    """If the revocation of that one fails, nobody would ever know whose it was."""
    both = inventory({"platform/a": stored(receipt(NEW, predecessors=(ref(OLD),)))})
    gone = make_plan(world([spec("b")], [OLD, NEW], both))
    cleanups = {e.token.id: e.cleanup for e in gone.effects if isinstance(e, Revoke)}
    assert cleanups == {"old": (), "new": ()}
    alone = make_plan(world([spec("b")], [NEW], both))
    assert [e.cleanup for e in alone.effects if isinstance(e, Revoke)] == [(place("a"),)]


def test_what_the_place_of_an_heir_still_holds_stays_when_the_entry_before_goes() -> None:
    """Its consumer reads it there until the heir's new token is written."""
    b = token("b", "b", age={"days": 1})
    heir = spec("b", places=(place("b"), place("a")))
    of = world([heir], [NEW, b], held(NEW, b))
    assert lines(of) == ["renew b b secret-missing"]


# Could not look


def test_one_unread_key_is_enough_to_leave_everything_else_where_it_is() -> None:
    dark = {"platform/x": Unread("timed out"), "platform/gone": stored(receipt(NEW, "gone"))}
    of = world([spec("a")], [NEW], inventory(dark))
    assert lines(of) == ["blocked a - unread", "wait gone new unread"]


@pytest.mark.parametrize(
    "entry",
    [
        spec("a", user=UserId("ci-bot"), places=(place("elsewhere"),)),
        spec("b", user=UserId("ci-bot"), previously=("a",)),
    ],
    ids=["moved", "renamed"],
)
def test_an_entry_whose_user_nobody_finds_is_not_a_removed_entry(entry: Any) -> None:
    """A second service user took the name: the receipt's user is still the right one."""
    unfound = {UserId("ci-bot"): Unread("2 service users have this name")}
    of = world([entry], [NEW], held(NEW), live=unfound)
    assert not doomed(of)
    assert not make_plan(of).complete
    assert lines(of) == [f"blocked {entry.name} - unread"]


def test_a_tombstone_whose_user_nobody_finds_removes_nothing() -> None:
    unfound = {UserId("ci-bot"): Unread("no user has this name")}
    stones = [tombstone("a", user=UserId("ci-bot"))]
    of = world([spec("c")], [NEW], held(NEW), tombstones=stones, live=unfound)
    assert not doomed(of)


def test_a_credential_of_another_account_stops_at_every_sink_that_knows_the_set() -> None:
    """There all users are unknown, so every receipt looks like a leftover to be cleaned away."""
    theirs = token("theirs", "b", user=UserId("u2"))
    known = replace(held(NEW), registrations=inventory(principal=X).registrations)
    sinks = {"local": known, "vault": inventory(registered=False)}
    entry = spec("b", user=UserId("u2"), places=(place("b", "vault"),))
    of = world([entry], [theirs], sinks)
    assert "clean" in {action_of(effect) for effect in make_plan(of).effects}
    assert "registration" in stops(of)


def test_users_that_were_not_read_do_not_make_the_live_view_look_empty() -> None:
    mine = token("mine", "b", user=X)
    of = world([spec("a"), spec("b", user=X)], [], held(mine), live={X: Unread("timed out")})
    assert stops(of) == []


# Overrides name what they let go


def test_to_empty_a_set_every_token_must_be_named() -> None:
    b = token("b", "b")
    both = world([], [NEW, b], held(NEW, b), limits=Limits(5, 100))
    for names, expected in (
        (named(), ["never_to_zero"]),
        (named("a"), ["never_to_zero"]),
        (named("a", "b"), []),
        ({NEW.id, *named("b")}, []),
    ):
        asked = replace(both.requests, allow_revoke=frozenset(names))
        assert stops(replace(both, requests=asked)) == expected, names


@pytest.mark.parametrize("asked_for", [named("a"), frozenset({NEW.id})])
def test_a_name_or_an_id_lifts_protection(asked_for: frozenset[Any]) -> None:
    b = token("b", "b")
    of = world([spec("b")], [NEW, b], held(NEW, b, protect=True))
    assert not doomed(of)
    asked = replace(of.requests, allow_revoke=asked_for)
    assert doomed(replace(of, requests=asked)) == {NEW.id}


def test_hints_can_be_pasted_into_a_shell_whatever_the_names() -> None:
    names = ["one, two", "it's", "$(reboot)"]
    tokens = [token(f"t{n}", name) for n, name in enumerate(names)]
    held_all = inventory({f"platform/{n}": stored(receipt(live)) for n, live in enumerate(tokens)})
    (guard,) = [g for g in make_plan(world([], tokens, held_all)).stops if g.id == "max_revokes"]
    words = shlex.split(guard.hint.partition(": ")[2])
    assert words == [word for name in sorted(names) for word in ("--allow-revoke", name)]


# Odd times


def test_a_last_day_at_the_end_of_the_calendar_is_just_far_away() -> None:
    for day in (date.max, date(9999, 12, 30)):
        entry = spec("a", lifetime=ExpiresOn(day))
        assert lines(world([entry])) == ["create a - new"]
        assert lines(world([entry], [NEW], held(NEW))) == ["keep a new in-sync"]


ANCIENT = NOW.replace(year=1, month=1, day=1)


@pytest.mark.parametrize("adopt", [True, False])
@pytest.mark.parametrize("expires", [ANCIENT, NOW - timedelta(days=1), NOW.replace(year=9999)])
@pytest.mark.parametrize("created", [ANCIENT, NOW, NOW.replace(year=9999)])
@pytest.mark.parametrize("used", [None, ANCIENT, NOW.replace(year=9999)])
def test_rows_that_somebody_edited_by_hand_end_in_a_plan(
    created: Any, expires: Any, used: Any, adopt: bool
) -> None:
    odd = token("odd", "a", created_at=created, expires_at=expires, last_used=used)
    both = [odd, NEW]
    for sinks in (held(odd), held(NEW), inventory(), _named(NEW, odd), _named(odd, NEW)):
        for policy in UnmanagedAction:
            of = world([spec("a", adopt=adopt)], both, sinks, unmanaged=policy)
            assert make_plan(of).plan_id
            assert make_plan(later(of, days=-400)).plan_id


def _named(current: LiveToken, before: LiveToken) -> Inventory:
    return inventory({"platform/a": stored(receipt(current, predecessors=(ref(before),)))})
