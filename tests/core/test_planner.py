"""Every effect, remark and reason, each from the smallest world that leads to it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from worlds import (
    BOT,
    NOW,
    SET,
    US,
    damaged,
    held,
    inventory,
    named,
    place,
    receipt,
    spec,
    stored,
    token,
    tombstone,
    world,
)

from reconciler.core.changes import Amend, Blocked, Create, Keep, Renew, Revoke, Unmanaged, Wait
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Address, SetName, TokenRef
from reconciler.core.spec import ExpiresIn, ExpiresOn, Retire, Schedule, UnmanagedAction
from reconciler.core.subjects import action_of, name_of
from reconciler.core.tokens import Unread, UserId
from reconciler.core.world import BY_HAND, World

A = token("t" * 20, "a")
B = token("u" * 20, "b")
OLD = token("o" * 20, "a", age={"days": 70})
OVER = token("e" * 20, "a", age={"days": 100})
REF = TokenRef(OLD.user, OLD.id)
SUCCEEDED = receipt(A, predecessors=(REF,))
OTHER = SetName("other")


def after(**kw: Any) -> World:
    """`a` was renewed from OLD to A some time ago."""
    return world(
        [spec("a", **kw.pop("spec", {}))],
        [A, replace(OLD, **kw.pop("old", {}))],
        inventory({"platform/a": stored(SUCCEEDED)}),
        **kw,
    )


CASES: dict[Reason, tuple[World, str]] = {
    Reason.NEW: (world([spec("a")]), "create"),
    Reason.STALE: (world([spec("a")], [B], held(A, B)), "create"),
    Reason.LAPSED: (world([spec("a")], [OVER], held(OVER)), "create"),
    Reason.MISSING: (
        world(
            [spec("a", places=(place("a"), place("a", "two")))],
            [A],
            {"local": held(A), "two": inventory()},
        ),
        "renew",
    ),
    Reason.DAMAGED: (
        world([spec("a")], [A], inventory({"platform/a": damaged(receipt(A))})),
        "renew",
    ),
    Reason.RENAMED: (
        world([spec("new", previously=("a",), places=(place("a"),))], [A], held(A)),
        "renew",
    ),
    Reason.USER_CHANGED: (world([spec("a", user=UserId("x"))], [A], held(A)), "renew"),
    Reason.LIFETIME: (world([spec("a", lifetime=ExpiresIn(30))], [A], held(A)), "renew"),
    Reason.ROTATION: (world([spec("a", rotation=1)], [A], held(A)), "renew"),
    Reason.DUE: (world([spec("a")], [OLD], held(OLD)), "renew"),
    Reason.REQUESTED: (
        world([spec("a")], [A], held(A), requests={"rotate": named("a")}),
        "renew",
    ),
    Reason.PROTECT: (world([spec("a", protect=True)], [A], held(A)), "amend"),
    Reason.FIRST_USE: (world([spec("a")], sinks=inventory(registered=False)), "register"),
    Reason.ACCEPTED: (
        world(
            [spec("a")],
            sinks=inventory(principal=UserId("former")),
            requests={"accept_registration": frozenset({"local"})},
        ),
        "register",
    ),
    Reason.TOMBSTONE: (world([spec("b")], [A, B], held(B), tombstones=[tombstone("a")]), "revoke"),
    Reason.REMOVED: (world([spec("b")], [A, B], held(A, B)), "revoke"),
    Reason.SUPERSEDED: (after(), "revoke"),
    Reason.EXPIRED: (after(old={"expires_at": NOW - timedelta(days=1)}), "revoke"),
    Reason.ORPHAN: (world([spec("a")], [A, replace(A, id=OLD.id)], held(A)), "revoke"),
    Reason.UNMANAGED_REVOKED: (
        world([spec("a")], [A, B], held(A), unmanaged=UnmanagedAction.REVOKE),
        "revoke",
    ),
    Reason.LEFTOVER: (world([spec("b")], [B], held(A, B)), "clean"),
    Reason.IN_SYNC: (world([spec("a")], [A], held(A)), "keep"),
    Reason.ADOPTED: (world([spec("a", adopt=True)], [A]), "keep"),
    Reason.ENDED: (world([spec("a", lifetime=ExpiresOn(date(2026, 5, 1)))]), "keep"),
    Reason.YOUNG: (
        world([spec("b")], [B, replace(A, created_at=NOW)], held(A, B)),
        "wait",
    ),
    Reason.OVERLAP: (after(spec={"overlap_days": 20}), "wait"),
    Reason.IN_USE: (after(old={"last_used": NOW - timedelta(hours=1)}), "wait"),
    Reason.UNTIL_EXPIRY: (after(spec={"retire": Retire.AT_EXPIRY}), "wait"),
    Reason.PENDING: (after(spec={"rotation": 1}), "wait"),
    Reason.DROPPED: (
        world([spec("a")], [A], inventory({k: stored(receipt(A)) for k in ("platform/a", "else")})),
        "clean",
    ),
    Reason.DEFERRED: (
        world([spec("a", rotation=1)], [A], held(A), schedule=Schedule(max_renewals=0)),
        "wait",
    ),
    Reason.OWN: (
        world(
            [spec("a", user=US)],
            [replace(A, user=US, last_used=NOW)],
            tombstones=[tombstone("a2", user=US)],
        ),
        "unmanaged",
    ),
    Reason.UNREAD: (world([spec("a")], live={BOT: Unread("timed out")}), "blocked"),
    Reason.PROTECTED: (world([spec("b")], [A, B], held(A, B, protect=True)), "blocked"),
    Reason.FOREIGN_SECRET: (
        world([spec("a")], sinks=inventory({"platform/a": damaged(None)})),
        "blocked",
    ),
    Reason.OTHER_SET: (
        world([spec("a")], [A], inventory({"platform/a": stored(receipt(A, set=OTHER))})),
        "blocked",
    ),
    Reason.ADOPT_AMBIGUOUS: (
        world([spec("a", adopt=True)], [A, replace(A, id=OLD.id)]),
        "blocked",
    ),
    Reason.ADOPT_MISSING: (world([spec("a", adopt="x" * 20)]), "blocked"),
    Reason.SAME_NAME: (
        world([spec("a")], [A, replace(A, id=OLD.id, created_by=BOT)], held(A)),
        "unmanaged",
    ),
    Reason.UNMANAGED: (world([spec("a")], [A, B], held(A)), "unmanaged"),
}


PLANNED = [reason for reason in Reason if reason is not Reason.DEPLOYED]
"""The other one is for the audit log: deploy hooks have succeeded, which no plan foresees."""


@pytest.mark.parametrize("reason", PLANNED, ids=lambda reason: reason.code)
def test_every_reason_is_reached(reason: Reason) -> None:
    of, action = CASES[reason]
    found = [c for c in make_plan(of).changes if c.why.reason is reason]
    assert [action_of(change) for change in found] == [action], make_plan(of).changes


@pytest.mark.parametrize("reason", CASES, ids=lambda reason: reason.code)
def test_plans_do_not_depend_on_the_order_of_what_was_read(reason: Reason) -> None:
    of = CASES[reason][0]
    shuffler = random.Random(7)  # noqa: S311 - a shuffle
    first = make_plan(of)
    for _ in range(5):
        live = {
            user: listing if isinstance(listing, Unread) else _shuffled(listing, shuffler)
            for user, listing in _shuffled(tuple(of.live.items()), shuffler)
        }
        again = make_plan(replace(of, live=live))
        assert again == first
        assert (again.plan_id, again.change_id) == (first.plan_id, first.change_id)


def _shuffled(items: tuple[Any, ...], shuffler: random.Random) -> tuple[Any, ...]:
    return tuple(shuffler.sample(items, len(items)))


def only(of: World, name: str) -> Any:
    (change,) = [c for c in make_plan(of).changes if name_of(c) == name]
    return change


def test_each_live_token_is_spoken_of_once() -> None:
    for of, _ in CASES.values():
        ids = [
            change.token.id
            for change in make_plan(of).changes
            if isinstance(change, Revoke | Wait | Unmanaged | Keep | Amend) and change.token
        ]
        assert len(ids) == len(set(ids))


def test_a_renewal_forgets_no_predecessor() -> None:
    (renewal,) = [c for c in make_plan(after(spec={"rotation": 1})).changes if isinstance(c, Renew)]
    assert set(renewal.predecessors) == {REF, TokenRef(A.user, A.id)}
    gone = world([spec("a", rotation=1)], [A], inventory({"platform/a": stored(SUCCEEDED)}))
    (renewal,) = [c for c in make_plan(gone).changes if isinstance(c, Renew)]
    assert renewal.predecessors == (TokenRef(A.user, A.id),)


def test_a_predecessor_of_a_user_that_was_not_read_is_carried_on() -> None:
    elsewhere = TokenRef(UserId("x"), OLD.id)
    of = world(
        [spec("a", rotation=1)], [A],
        inventory({"platform/a": stored(receipt(A, predecessors=(elsewhere,)))}),
        live={UserId("x"): Unread("timed out")},
    )  # fmt: skip
    (renewal,) = [c for c in make_plan(of).changes if isinstance(c, Renew)]
    assert elsewhere in renewal.predecessors


@pytest.mark.parametrize("reason", CASES, ids=lambda reason: reason.code)
def test_while_a_sink_is_unread_nothing_is_created_and_nothing_revoked(reason: Reason) -> None:
    of = CASES[reason][0]
    blind = replace(of, sinks={**of.sinks, "broken": Unread("timed out")})  # type: ignore[dict-item]
    plan = make_plan(blind)
    assert not plan.complete
    assert not [c for c in plan.effects if action_of(c) in ("create", "revoke", "clean")]


def test_an_unread_user_is_left_alone_and_the_others_are_not() -> None:
    x = UserId("x")
    of = world([spec("a"), spec("c", user=x)], live={x: Unread("timed out")})
    plan = make_plan(of)
    assert not plan.complete
    assert [name_of(c) for c in plan.effects] == ["a"]
    assert isinstance(only(of, "c"), Blocked)


def test_an_orphan_needs_every_sign() -> None:
    extra = replace(A, id=OLD.id)
    for change in (
        {"created_by": BOT},
        {"last_used": NOW - timedelta(days=5)},
        {"created_at": NOW - timedelta(days=301)},
        {"created_at": NOW - timedelta(days=6, hours=23)},
        {"name": "else"},
    ):
        of = world([spec("a")], [A, replace(extra, **change)], held(A))
        assert not [c for c in make_plan(of).changes if isinstance(c, Revoke)], change
    unregistered = world(
        [spec("a")], [A, extra], inventory({"platform/a": stored(receipt(A))}, registered=False)
    )
    assert not [c for c in make_plan(unregistered).changes if isinstance(c, Revoke)]


@pytest.mark.parametrize(("overlap", "age"), [(7, 7 * 1440), (0, 15), (40, 30 * 1440)])
def test_an_orphan_goes_when_it_was_idle_for_a_whole_overlap(overlap: int, age: int) -> None:
    """In minutes: the overlap, at least the grace, at most a third of the lifetime."""
    for older, gone in ((-1, False), (1, True)):
        orphan = token("orphan", "a", age={"minutes": age + older})
        of = world([spec("a", overlap_days=overlap)], [A, orphan], held(A))
        changes = {c.token.id: c for c in make_plan(of).changes if isinstance(c, Revoke | Wait)}
        assert isinstance(changes[orphan.id], Revoke) is gone
        assert changes[orphan.id].why.reason is Reason.ORPHAN


def test_tokens_in_receipts_of_another_set_are_none_of_our_business() -> None:
    entries = {"platform/a": stored(receipt(A)), "other/b": stored(receipt(B, set=OTHER))}
    of = world([spec("a")], [A, B], inventory(entries), unmanaged=UnmanagedAction.REVOKE)
    plan = make_plan(of)
    assert [name_of(c) for c in plan.changes] == ["a"]
    assert (plan.counts.ours, plan.counts.others) == (1, 1)
    stone = world([spec("a")], [A, B], inventory(entries), tombstones=[tombstone("b")])
    assert isinstance(only(stone, "b"), Blocked)


def test_a_token_made_by_hand_into_a_sink_can_be_adopted() -> None:
    by_hand = inventory({"platform/a": stored(receipt(A, set=BY_HAND))})
    assert isinstance(only(world([spec("a")], [A], by_hand), "a"), Blocked)
    assert isinstance(only(world([spec("a", adopt=True)], [A], by_hand), "a"), Keep)


def test_adoption_by_id_by_expiry_and_by_claim() -> None:
    assert isinstance(only(world([spec("a", adopt=A.id)], [A]), "a"), Keep)
    dead = replace(A, expires_at=NOW - timedelta(days=1))
    found = make_plan(world([spec("a", adopt=A.id)], [dead])).effects
    assert isinstance(found[0], Create)
    taken = inventory({"other/a": stored(receipt(A, set=OTHER))})
    assert isinstance(only(world([spec("a", adopt=A.id)], [A], taken), "a"), Blocked)
    assert isinstance(only(world([spec("a", adopt=True)]), "a"), Create)
    shorter = world([spec("a", adopt=True, lifetime=ExpiresIn(30))], [A])
    assert isinstance(only(shorter, "a"), Keep)


def test_swapped_keys_lose_nothing() -> None:
    swapped = [spec("a", places=(place("b"),)), spec("b", places=(place("a"),))]
    plan = make_plan(world(swapped, [A, B], held(A, B)))
    assert [action_of(c) for c in plan.changes] == ["renew", "renew"]


def test_a_removed_entry_s_predecessors_go_with_it_but_what_a_spec_holds_stays() -> None:
    entries = {"platform/gone": stored(receipt(A, name="gone", predecessors=(REF,)))}
    of = world([spec("b")], [A, B, OLD], inventory({**entries, "platform/b": stored(receipt(B))}))
    assert sorted(c.token.id for c in make_plan(of).changes if isinstance(c, Revoke)) == [OLD.id, A.id]
    shared = {**entries, "platform/b": stored(receipt(A, name="b"))}
    of = world([spec("b")], [A, OLD], inventory(shared))
    assert A.id not in [c.token.id for c in make_plan(of).changes if isinstance(c, Revoke)]


def test_renew_false_and_a_last_day() -> None:
    ended = replace(OLD, expires_at=NOW - timedelta(days=1))
    of = world([spec("a", renew=False)], [ended], held(ended))
    assert only(of, "a").why.reason is Reason.ENDED
    last = ExpiresOn(date(2026, 7, 1))
    create = only(world([spec("a", lifetime=last)]), "a")
    assert create.days == 30
    assert NOW + timedelta(days=create.days, hours=1) <= NOW.replace(month=7, day=2, hour=0)
    outliving = world([spec("a", lifetime=ExpiresOn(date(2026, 6, 20)))], [A], held(A))
    assert only(outliving, "a").why.reason is Reason.LIFETIME


def test_a_compromise_of_what_we_run_with_switches_before_it_revokes() -> None:
    own = replace(A, user=US, last_used=NOW)
    asked = {"rotate": {Address(US, "a"), *named("a")}, "compromised": True}
    (renewal,) = make_plan(world([spec("a", user=US)], [own], held(own), requests=asked)).effects
    assert isinstance(renewal, Renew)
    assert (renewal.own, renewal.retire_now) == (True, (own,))
    (renewal,) = make_plan(world([spec("a")], [A], held(A), requests=asked)).effects
    assert isinstance(renewal, Renew)
    assert (renewal.own, renewal.retire_now) == (False, (A,))


def test_what_we_run_with_may_be_a_predecessor_of_what_is_held() -> None:
    new, old = replace(A, user=US), replace(OLD, user=US, last_used=NOW)
    sink = inventory({"platform/a": stored(receipt(new, predecessors=(TokenRef(US, old.id),)))})
    plan = make_plan(world([spec("a", user=US, rotation=1)], [new, old], sink))
    (renewal,) = plan.effects
    assert isinstance(renewal, Renew)
    assert renewal.own


def test_a_due_renewal_does_not_void_an_approval() -> None:
    new = spec("c")
    quiet = make_plan(world([spec("a"), new], [A], held(A)))
    due = make_plan(world([spec("a"), new], [OLD], held(OLD)))
    assert quiet.change_id == due.change_id
    assert quiet.plan_id != due.plan_id
    assert make_plan(world([spec("a")], [A], held(A))).change_id != quiet.change_id


def test_the_set_of_the_plan() -> None:
    plan = make_plan(world([spec("a")], [A], held(A)))
    assert (plan.set, plan.principal, plan.complete) == (SET, US, True)


def test_an_orphan_goes_with_what_a_killed_run_left_at_its_places() -> None:
    of = world([spec("a")], [A, replace(A, id=OLD.id)], held(A))
    (revoke,) = make_plan(of).effects
    assert isinstance(revoke, Revoke)
    assert (revoke.token.id, revoke.cleanup) == (OLD.id, (place("a"),))
