"""The budget that slows us down before a server's rate limit does."""

from __future__ import annotations

import threading

import pytest
from callers import Time

from reconciler.api.budget import CLOUD, UNLIMITED, Allowance, Budget, allowance_of
from reconciler.http.retry import Pace


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


def test_a_budget_grants_its_burst_at_once_and_then_its_rate(time: Time) -> None:
    budget = Budget(Allowance(burst=3, per_minute=60), time.pace())
    for _ in range(6):
        budget.take()
    assert time.slept == [1, 1, 1]
    time.now += 3600
    for _ in range(3):
        budget.take()
    assert time.slept == [1, 1, 1]


def test_the_clouds_own_bucket_never_runs_dry(time: Time) -> None:
    budget, theirs, filled = Budget(CLOUD, time.pace()), 1200.0, time.now
    for _ in range(2000):
        budget.take()
        theirs, filled = min(1200, theirs + (time.now - filled) * 2) - 1, time.now
        assert theirs >= 0
    assert time.slept


def test_no_limit_means_no_wait(time: Time) -> None:
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
