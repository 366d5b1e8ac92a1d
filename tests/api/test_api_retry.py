"""The schedule of retries and the budget, with time and chance in hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from reconciler.api.answers import wish_of_read, wish_of_write
from reconciler.api.budget import CLOUD, UNLIMITED, Allowance, Budget, allowance_of
from reconciler.api.outcome import Answer, Failure, Json, Outcome, Stage, Text
from reconciler.api.refusals import Call
from reconciler.api.retry import (
    FAILING,
    LIMITED,
    ONCE_MORE,
    Again,
    Pace,
    Patience,
    delay,
    persist,
)

CALL = Call("look", "users/u/tokens/abc", ("pat: abc not found",))
DATES = {"Date": "Sun, 01 Mar 2026 12:00:00 GMT", "retry-after": "Sun, 01 Mar 2026 12:00:42 GMT"}


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, chance: float = 1.0, deadline: float = 120) -> Pace:
        return Pace(lambda: self.now, self.sleep, lambda: chance, deadline)


def said(status: int, message: str = "", **headers: str) -> Answer:
    from requests.structures import CaseInsensitiveDict  # noqa: PLC0415 - only for this table

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CaseInsensitiveDict(named), Json({"message": message}))


@pytest.mark.parametrize(
    ("tried", "chance", "expected"),
    [(1, 0, 0), (1, 1, 0.5), (2, 1, 1), (3, 1, 2), (3, 0.25, 0.5), (4, 1, 4), (5, 1, None)],
)
def test_delays_double_under_full_jitter_and_end(
    tried: int, chance: float, expected: float | None
) -> None:
    assert delay(Again(FAILING), tried, chance) == expected


def test_a_delay_has_a_ceiling_and_the_servers_wish_is_a_minimum() -> None:
    assert delay(Again(LIMITED), 20, 1) == 30
    assert delay(Again(LIMITED, at_least=7), 1, 0) == 7
    assert delay(Again(LIMITED, at_least=7), 1, 1) == 8


def test_it_stops_at_the_first_outcome_that_is_good() -> None:
    time, outcomes = Time(), ["bad", "bad", "good", "never asked for"]
    found = persist(
        lambda: outcomes.pop(0), lambda o: Again(FAILING) if o == "bad" else None, time.pace()
    )
    assert (found, time.slept, outcomes) == ("good", [0.5, 1.0], ["never asked for"])


def test_it_gives_up_after_its_tries_and_hands_back_the_last_outcome() -> None:
    time, tries = Time(), iter(range(100))
    assert persist(lambda: next(tries), lambda _: Again(Patience(3, 1, 1)), time.pace()) == 2
    assert time.slept == [1, 1]


def test_it_never_sleeps_past_the_deadline() -> None:
    time = Time()
    persist(lambda: None, lambda _: Again(LIMITED), time.pace(deadline=60))
    assert sum(time.slept) <= 60
    assert persist(lambda: "limited", lambda _: Again(LIMITED, 3600), time.pace()) == "limited"
    assert 3600 not in time.slept


@pytest.mark.parametrize(
    ("outcome", "again"),
    [
        (said(200), None),
        (Answer(200, {}, Text('{"cut', claims_json=True)), Again(FAILING)),
        (Answer(200, {}, Text("<html>")), None),
        (said(301), None),
        (said(401, "token invalid"), Again(ONCE_MORE)),
        (said(403, "permission denied"), None),
        (said(404, "pat: abc not found"), None),
        (said(404, "pat: other not found"), Again(FAILING)),
        (said(404, "invalid token: pat: abc not found"), None),
        (said(408), Again(FAILING)),
        (said(422), None),
        (said(429), Again(LIMITED)),
        (said(429, Retry_After="9"), Again(LIMITED, 9)),
        (said(429, Retry_After="soon"), Again(LIMITED)),
        (said(429, Retry_After="-5"), Again(LIMITED)),
        (said(429, **DATES), Again(LIMITED, 42)),
        (said(503, Retry_After="3"), Again(FAILING, 3)),
        (Failure(Stage.UNSENT, ""), Again(FAILING)),
        (Failure(Stage.LOST, ""), Again(FAILING)),
        (Failure(Stage.UNTRUSTED, ""), None),
        (Failure(Stage.TOO_LARGE, ""), None),
    ],
)
def test_what_a_read_tries_again_and_a_write_only_after_429(
    outcome: Outcome, again: Again | None
) -> None:
    assert wish_of_read(outcome, CALL) == again
    limited = isinstance(outcome, Answer) and outcome.status == 429
    assert wish_of_write(outcome) == (again if limited else None)


@pytest.mark.parametrize(
    ("host", "allowance"),
    [
        ("api.netbird.io", CLOUD),
        ("netbird.io", CLOUD),
        ("notnetbird.io", UNLIMITED),
        ("api.netbird.io.example", UNLIMITED),
        ("127.0.0.1", UNLIMITED),
    ],
)
def test_only_the_cloud_has_a_known_limit(host: str, allowance: Allowance) -> None:
    assert allowance_of(host) is allowance


def test_a_budget_grants_its_burst_at_once_and_then_its_rate() -> None:
    time = Time()
    budget = Budget(Allowance(burst=3, per_minute=60), time.pace())
    for _ in range(6):
        budget.take()
    assert time.slept == [1, 1, 1]
    time.now += 3600
    for _ in range(3):
        budget.take()
    assert time.slept == [1, 1, 1]


def test_the_clouds_own_bucket_never_runs_dry() -> None:
    time = Time()
    budget, theirs, filled = Budget(CLOUD, time.pace()), 1200.0, time.now
    for _ in range(2000):
        budget.take()
        theirs, filled = min(1200, theirs + (time.now - filled) * 2) - 1, time.now
        assert theirs >= 0
    assert time.slept


def test_no_limit_means_no_wait() -> None:
    time = Time()
    budget = Budget(UNLIMITED, time.pace())
    for _ in range(5000):
        budget.take()
    assert time.slept == []


def test_threads_that_wait_get_a_turn_each() -> None:
    waits: list[float] = []
    budget = Budget(Allowance(burst=0, per_minute=60), Pace(lambda: 0.0, waits.append))
    threads = [threading.Thread(target=budget.take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [1, 2, 3, 4, 5, 6, 7, 8]
