"""What is tried again and when: the wishes, the schedule, the deadline."""

from __future__ import annotations

import pytest
from callers import Time
from requests.structures import CaseInsensitiveDict

from reconciler.api.answers import ONCE_MORE, wish_of_read, wish_of_write
from reconciler.api.refusals import Call
from reconciler.http import Answer, Failure, Json, Outcome, Stage, Text
from reconciler.http.retry import FAILING, LIMITED, Again, Patience, delay, persist

CALL = Call("look", "users/u/tokens/abc", ("pat: abc not found",))
NOON, LATER = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:42 GMT"


def said(status: int, message: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CaseInsensitiveDict(named), Json({"message": message}))


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
        (said(429, Date=NOON, retry_after=LATER), Again(LIMITED, 42)),
        (said(429, Date=LATER, retry_after=NOON), Again(LIMITED)),
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
    ("patience", "ceilings"),
    [
        (ONCE_MORE, [0.5, None]),
        (FAILING, [0.5, 1, 2, 4, None]),
        (LIMITED, [1, 2, 4, 8, 16, *([30] * 24), None]),
    ],
)
def test_waits_double_up_to_a_ceiling_and_end(
    patience: Patience, ceilings: list[float | None]
) -> None:
    again = Again(patience)
    assert [delay(again, n + 1, 1.0) for n in range(len(ceilings))] == ceilings


def test_chance_spreads_a_wait_above_what_the_server_asks_for() -> None:
    assert [delay(Again(FAILING), 3, chance) for chance in (0, 0.25, 1)] == [0, 0.5, 2]
    assert [delay(Again(LIMITED, at_least=7), 1, chance) for chance in (0, 1)] == [7, 8]


def test_it_stops_at_the_first_outcome_that_is_good(time: Time) -> None:
    outcomes = ["bad", "bad", "good", "never asked for"]
    found = persist(
        lambda: outcomes.pop(0), lambda o: Again(FAILING) if o == "bad" else None, time.pace()
    )
    assert (found, time.slept, outcomes) == ("good", [0.5, 1.0], ["never asked for"])


def test_it_gives_up_after_its_tries_and_hands_back_the_last_outcome(time: Time) -> None:
    tries = iter(range(100))
    assert persist(lambda: next(tries), lambda _: Again(Patience(3, 1, 1)), time.pace()) == 2
    assert time.slept == [1, 1]


def test_no_try_is_begun_after_the_deadline(time: Time) -> None:
    tries: list[float] = []
    began = time.now
    persist(lambda: tries.append(time.now), lambda _: Again(LIMITED), time.pace(deadline=60))
    assert [at - began for at in tries] == [0, 1, 3, 7, 15, 31]


def test_a_wait_beyond_the_deadline_is_not_begun(time: Time) -> None:
    assert persist(lambda: "limited", lambda _: Again(LIMITED, 3600), time.pace()) == "limited"
    assert time.slept == []
