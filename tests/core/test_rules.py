"""Each rule by itself, and the composed chains: which objection wins."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from worlds import NOW, damaged, named, place, receipt, spec, stored, token

from reconciler.core.reasons import Reason
from reconciler.core.receipts import Absent, Lookup
from reconciler.core.rules import HELD, RETIRE, Case, Retirement, objection, stay
from reconciler.core.spec import ExpiresIn, ExpiresOn, Retire
from reconciler.core.tokens import UserId
from reconciler.core.world import Requests

HELD_TOKEN = token("t", "a")
ELSE = token("else", "b")
MINE = receipt(HELD_TOKEN)
GOOD = stored(MINE)
NOTHING = Absent()
ROTATE = Requests(rotate=named("a"))


def case(
    *lookups: Lookup,
    receipt: Any = MINE,
    requests: Requests | None = None,
    age: int = 10,
    **of: Any,
) -> Case:
    places = [place("a"), place("a", "vault")][: len(lookups) or 1]
    found = tuple(zip(places, lookups or (GOOD,), strict=True))
    entry = spec("a", places=tuple(places), **of)
    now = NOW + timedelta(days=age - 10)
    return Case(entry, found, HELD_TOKEN, receipt, requests or Requests(), now)


OBJECTIONS = [
    ("all is well", case(), None),
    ("all is well in two sinks", case(GOOD, GOOD), None),
    ("a person asked", case(requests=ROTATE), Reason.REQUESTED),
    ("a person asked for another", case(requests=Requests(rotate=named("b"))), None),
    ("one sink lacks it", case(GOOD, NOTHING), Reason.MISSING),
    ("another token is there", case(GOOD, stored(receipt(ELSE, "a"))), Reason.MISSING),
    ("something unknown is there", case(GOOD, damaged(None)), Reason.MISSING),
    ("the value does not fit", case(damaged(MINE)), Reason.DAMAGED),
    ("one of two values does not fit", case(GOOD, damaged(MINE)), Reason.DAMAGED),
    ("renamed", case(receipt=receipt(HELD_TOKEN, "b"), previously=("b",)), Reason.RENAMED),
    ("of another entry", case(receipt=receipt(HELD_TOKEN, "b")), Reason.MISSING),
    ("of another user", case(user=UserId("x")), Reason.USER_CHANGED),
    ("rotation raised", case(rotation=1), Reason.ROTATION),
    ("rotation as it was", case(receipt=receipt(HELD_TOKEN, rotation=2), rotation=2), None),
    ("rotation lowered", case(receipt=receipt(HELD_TOKEN, rotation=2)), None),
    ("shorter in the file", case(lifetime=ExpiresIn(89)), Reason.LIFETIME),
    ("longer in the file", case(lifetime=ExpiresIn(91)), Reason.LIFETIME),
    ("outlives its last day", case(lifetime=ExpiresOn(date(2026, 8, 19))), Reason.LIFETIME),
    ("ends on its last day", case(lifetime=ExpiresOn(date(2026, 8, 20))), None),
    ("may live longer one day", case(lifetime=ExpiresOn(date(2028, 1, 1))), None),
    ("just before its window", case(age=57), None),
    ("after the end of its window", case(age=60), Reason.DUE),
    ("in a window of days", case(age=31, renew_before=60), Reason.DUE),
    ("in a window of percents", case(age=31, renew_before=Fraction(2, 3)), Reason.DUE),
    ("never renewed", case(age=80, renew=False), None),
    ("adopted", case(NOTHING, receipt=None, lifetime=ExpiresIn(30)), None),
    ("adopted in place of a value", case(damaged(None), receipt=None), None),
    ("adopted and rotated", case(NOTHING, receipt=None, rotation=1), Reason.ROTATION),
    ("adopted and asked for", case(NOTHING, receipt=None, requests=ROTATE), Reason.REQUESTED),
    ("adopted and due", case(NOTHING, receipt=None, age=60), Reason.DUE),
]


@pytest.mark.parametrize(
    ("held", "reason"), [each[1:] for each in OBJECTIONS], ids=[each[0] for each in OBJECTIONS]
)
def test_why_a_held_token_will_not_do(held: Case, reason: Reason | None) -> None:
    why = objection(held)
    assert (why.reason if why else None) is reason
    assert why is None or why.text


def test_the_first_objection_wins() -> None:
    """Ever more objections are taken away, in the order of the chain."""
    everything: dict[str, Any] = {
        "requests": ROTATE,
        "receipt": receipt(HELD_TOKEN, "b"),
        "previously": ("b",),
        "rotation": 1,
        "lifetime": ExpiresIn(30),
        "age": 60,
    }
    lookups: list[Lookup] = [damaged(MINE), NOTHING]
    seen = []
    for calmed in ({}, {"requests": None}, {"receipt": MINE}, {"lookups": 1}, {"lookups": 0},
                   {"rotation": 0}, {"lifetime": ExpiresIn(90)}, {"age": 10}):  # fmt: skip
        lookups = {1: [damaged(MINE)], 0: [GOOD]}.get(calmed.pop("lookups", -1), lookups)  # type: ignore[call-overload]
        everything.update(calmed)
        why = objection(case(*lookups, **everything))
        seen.append(why.reason if why else None)
    assert seen == [
        Reason.REQUESTED, Reason.RENAMED, Reason.MISSING, Reason.DAMAGED,
        Reason.ROTATION, Reason.LIFETIME, Reason.DUE, None,
    ]  # fmt: skip
    assert len(HELD) == len(seen) - 1


def test_a_reason_says_who_wanted_it() -> None:
    asked = Requests(rotate=named("a"), rotate_reason="INC-7, leaked in a log")
    why = objection(case(requests=asked))
    assert why is not None
    assert why.text == "INC-7, leaked in a log"


OLD = {"age": {"days": 80}, "last_used": NOW - timedelta(days=30)}


def retirement(successor: Any = None, old: Any = None, **of: Any) -> Retirement:
    new = token("new", "a", **(successor or {}))
    return Retirement(spec("a", **of), token("old", "a", **{**OLD, **(old or {})}), new, NOW)


def ago(**delta: float) -> Any:
    return NOW - timedelta(**delta)


STAYS = [
    ("all is done", retirement(), None, None),
    ("never used", retirement(old={"last_used": None}), None, None),
    (
        "its successor is new",
        retirement({"age": {"minutes": 14}}, overlap_days=0),
        Reason.YOUNG,
        NOW + timedelta(minutes=1),
    ),
    (
        "its successor is just old enough",
        retirement({"age": {"minutes": 15}}, overlap_days=0),
        None,
        None,
    ),
    ("in overlap", retirement({"age": {"days": 6}}), Reason.OVERLAP, NOW + timedelta(days=1)),
    ("overlap just passed", retirement({"age": {"days": 7}}), None, None),
    (
        "overlap cut to a third",
        retirement({"age": {"days": 2}, "days": 9}, overlap_days=7),
        Reason.OVERLAP,
        NOW + timedelta(days=1),
    ),
    (
        "in use",
        retirement(old={"last_used": ago(days=6)}),
        Reason.IN_USE,
        NOW + timedelta(days=1),
    ),
    (
        "in use till its end",
        retirement(old={"last_used": ago(hours=1), "expires_at": NOW + timedelta(hours=5)}),
        Reason.IN_USE,
        NOW + timedelta(hours=5),
    ),
    ("no longer in use", retirement(old={"last_used": ago(days=7)}), None, None),
    (
        "used in the future",
        retirement(old={"last_used": ago(days=-1)}),
        Reason.IN_USE,
        NOW + timedelta(days=8),
    ),
    (
        "in use, but nobody waits for that",
        retirement(old={"last_used": NOW}, retire=Retire.AFTER_OVERLAP),
        None,
        None,
    ),
    (
        "in overlap, used or not",
        retirement({"age": {"days": 6}}, retire=Retire.AFTER_OVERLAP),
        Reason.OVERLAP,
        NOW + timedelta(days=1),
    ),
    (
        "left to expire",
        retirement(retire=Retire.AT_EXPIRY),
        Reason.UNTIL_EXPIRY,
        NOW + timedelta(days=10),
    ),
    (
        "expired, whatever else",
        retirement(
            {"age": {}}, {"expires_at": ago(seconds=1), "last_used": NOW}, retire=Retire.AT_EXPIRY
        ),
        None,
        None,
    ),
    (
        "at the instant of its expiry",
        retirement(old={"expires_at": NOW}, retire=Retire.AT_EXPIRY),
        Reason.UNTIL_EXPIRY,
        NOW,
    ),
]


@pytest.mark.parametrize(
    ("old", "reason", "until"), [each[1:] for each in STAYS], ids=[each[0] for each in STAYS]
)
def test_why_a_superseded_token_stays(old: Retirement, reason: Reason | None, until: Any) -> None:
    found = stay(old)
    assert (found.why.reason if found else None) is reason
    assert (found.until if found else None) == until


def test_the_strictest_stay_wins() -> None:
    fresh = {"age": {"minutes": 1}}
    used = {"last_used": NOW}
    reasons = [
        found.why.reason
        for found in (
            stay(retirement(fresh, used, retire=Retire.AT_EXPIRY)),
            stay(retirement({}, used, retire=Retire.AT_EXPIRY)),
            stay(retirement({"age": {"days": 3}}, used)),
            stay(retirement({}, used)),
        )
        if found
    ]
    assert reasons == [Reason.YOUNG, Reason.UNTIL_EXPIRY, Reason.OVERLAP, Reason.IN_USE]
    assert len(RETIRE) == len(reasons)
