from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import NOW, SET, receipt, spec, token

from reconciler.core.receipts import SetName
from reconciler.core.rules import Case, window_is_not_reached
from reconciler.core.spec import ExpiresIn, ExpiresOn, RenewBefore
from reconciler.core.timing import days_to_ask, end_of, jitter, left, overlap, renews_at, window
from reconciler.core.tokens import DAY
from reconciler.core.world import Requests
from reconciler.reports.ages import remaining

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
BEFORE = st.none() | st.integers(1, 364) | st.integers(1, 99).map(lambda n: Fraction(n, 100))


@pytest.mark.parametrize(
    ("days", "before", "expected"),
    [
        (90, None, 30 * DAY),
        (11, None, 11 * DAY / 3),
        (10, None, 5 * DAY),
        (1, None, 12 * HOUR),
        (90, Fraction(33, 100), timedelta(days=29, hours=16, minutes=48)),
        (90, 30, 30 * DAY),
        (90, 90, 90 * DAY),
        (90, 364, 90 * DAY),
    ],
)
def test_the_window(days: int, before: RenewBefore | None, expected: timedelta) -> None:
    assert window(days * DAY, before) == expected


def test_an_hour_of_daylight_saving_does_not_make_ten_days_long() -> None:
    assert window(10 * DAY + HOUR, None) == (10 * DAY + HOUR) / 2
    assert window(10 * DAY + HOUR + SECOND, None) == (10 * DAY + HOUR + SECOND) / 3


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 10**8))
def test_jitter_is_at_most_a_tenth_and_always_the_same(set_: str, name: str, seconds: int) -> None:
    room = timedelta(seconds=seconds)
    found = jitter(SetName(set_), name, room)
    assert timedelta() <= found <= room / 10
    assert found == jitter(SetName(set_), name, room)
    assert found.microseconds == 0


def test_jitter_is_a_function_of_names_alone() -> None:
    """Pinned: another version must not renew everything at once."""
    assert jitter(SET, "terraform", 30 * DAY) == timedelta(days=2, seconds=59345)


def test_jitter_spreads() -> None:
    found = sorted(jitter(SET, f"token-{n}", 100 * DAY) / DAY for n in range(1000))
    assert found[0] < 0.1
    assert found[-1] > 9.9
    assert 4.5 < sum(found) / 1000 < 5.5
    assert len(set(found)) > 990


@settings(deadline=None)
@given(days=st.integers(1, 365), dst=st.sampled_from([-1, 0, 1]), before=BEFORE, name=st.text())
def test_a_renewal_falls_due_within_the_life_and_before_the_window(
    days: int, dst: int, before: RenewBefore | None, name: str
) -> None:
    end = NOW + days * DAY + dst * HOUR
    live = token("t", "a", created_at=NOW, expires_at=end)
    life = end - NOW
    entry = spec(name, lifetime=ExpiresIn(days), renew_before=before)
    due = renews_at(entry, live, NOW)
    assert due is not None
    ahead = window(life, before)
    assert NOW <= due <= end - ahead
    assert (end - ahead) - due <= min(ahead, life - ahead) / 10
    if isinstance(before, int) and before >= days:
        return  # the loader refuses what would never stop renewing
    assert due - NOW >= (life - ahead) * 9 / 10 > timedelta()


def test_renew_false_never_falls_due() -> None:
    dying = token("t", "a", created_at=NOW - 89 * DAY)
    assert renews_at(spec("a", renew=False), dying, NOW) is None
    assert renews_at(spec("a"), dying, NOW) is not None


@pytest.mark.parametrize(
    ("day", "days"),
    [
        (date(2026, 5, 31), None),
        (date(2026, 6, 1), None),
        (date(2026, 6, 2), 1),
        (date(2026, 6, 3), 2),
        (date(2027, 6, 1), 365),
        (date(2027, 6, 2), 365),
        (date(2099, 1, 1), 365),
        (date.max, 365),
        (date.min, None),
    ],
)
def test_days_until_a_last_day(day: date, days: int | None) -> None:
    assert days_to_ask(ExpiresOn(day), NOW) == days


@settings(deadline=None)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - made UTC below
    st.integers(-3, 800),
    st.sampled_from([-1, 0, 1]),
)
def test_a_token_never_outlives_its_last_day(naive: datetime, ahead: int, dst: int) -> None:
    now = naive.replace(tzinfo=UTC)
    last = ExpiresOn(now.date() + ahead * DAY)
    days = days_to_ask(last, now)
    left = end_of(last) - now
    if days is None:
        assert left < DAY + HOUR
    else:
        assert 1 <= days <= 365
        assert now + days * DAY + dst * HOUR <= end_of(last)
        assert days == 365 or left - days * DAY < DAY + HOUR


def test_the_hour_of_daylight_saving_is_kept_free() -> None:
    last = ExpiresOn(date(2026, 6, 10))
    end = end_of(last)
    assert days_to_ask(last, end - DAY - HOUR) == 1
    assert days_to_ask(last, end - DAY - HOUR + SECOND) is None


@pytest.mark.parametrize("days", [1, 90, 365])
def test_days_of_a_life_are_asked_for_as_written(days: int) -> None:
    assert days_to_ask(ExpiresIn(days), NOW) == days


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_the_life_of_a_token_is_known_across_daylight_saving(hours: int) -> None:
    live = token("t", "a", created_at=NOW, expires_at=NOW + 30 * DAY + hours * HOUR)
    assert live.days == 30


def test_a_last_day_is_approached_and_never_passed() -> None:
    """Renewing whenever due, each token ends later than the one before; then nothing follows."""
    last = ExpiresOn(date(2028, 12, 31))
    entry, now, made = spec("a", lifetime=last), NOW, 0
    while (days := days_to_ask(last, now)) is not None:
        live = token("t", "a", created_at=now, expires_at=now + days * DAY)
        made += 1
        due = renews_at(entry, live, now)
        if due is None:
            break
        assert due > now
        now = due
    assert made == 4
    assert end_of(last) - 2 * DAY < live.expires_at <= end_of(last)


@pytest.mark.parametrize(
    ("days", "wanted", "expected"),
    [(90, 7, 7 * DAY), (90, 0, timedelta()), (15, 7, 5 * DAY), (1, 7, 8 * HOUR), (365, 200, 365 * DAY / 3)],
)  # fmt: skip
def test_an_overlap_is_at_most_a_third_of_the_life(
    days: int, wanted: int, expected: timedelta
) -> None:
    successor = token("t", "a", days=days)
    assert overlap(spec("a", overlap_days=wanted), successor) == expected


@pytest.mark.parametrize(
    ("moment", "works"),
    [({}, True), ({"seconds": 1}, False), ({"seconds": -1}, True)],
)
def test_a_token_works_until_the_very_instant_of_its_expiry(
    moment: dict[str, Any], works: bool
) -> None:
    live = token("t", "a")
    assert live.works(live.expires_at + timedelta(**moment)) is works


@pytest.mark.parametrize(
    ("span", "count", "unit"),
    [
        (timedelta(days=365) - SECOND, 365, "day"),
        (timedelta(days=18, hours=13), 19, "day"),
        (timedelta(days=1, hours=23), 47, "hour"),
        (timedelta(minutes=1), 1, "minute"),
        (-SECOND, 0, "minute"),
    ],
)
def test_a_time_to_go_is_rounded_in_one_way(span: timedelta, count: int, unit: str) -> None:
    assert left(span) == (count, unit)


def test_the_reason_of_a_renewal_tells_the_time_that_tables_tell() -> None:
    span = timedelta(days=18, hours=13)
    old = token("t", "a", age={"days": 90 - span / DAY})
    why = window_is_not_reached(Case(spec("a"), (), old, receipt(old), Requests(), NOW))
    assert why is not None
    assert why.text.startswith("19 days left, due since ")
    assert remaining(old.expires_at - NOW) == "19d"
