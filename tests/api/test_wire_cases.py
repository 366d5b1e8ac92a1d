"""What a client meets on the wire, and what it makes of it: every case of netbird-api.md that bites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from reconciler.api.endpoint import Endpoint
from reconciler.api.service import HttpTokenApi, reader, writer
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, UserId
from reconciler.emulator import (
    Clock,
    Drop,
    Emulator,
    Fault,
    Html,
    RateLimit,
    Raw,
    Redirect,
    Status,
    Truncate,
    serve,
)
from reconciler.errors import (
    ApiError,
    BadAnswer,
    Forbidden,
    Gone,
    Rejected,
    Unauthenticated,
    Unavailable,
    Uncertain,
    UsageError,
)


@dataclass
class Line:
    emulator: Emulator
    url: str
    bot: UserId
    credential: Secret
    slept: list[float]
    api: HttpTokenApi

    def fails(
        self, action: object, *, method: str = "GET", when: str = "before", times: int | None = 1
    ) -> None:
        fault = Fault(method=method, when=when, action=action, times=times)  # type: ignore[arg-type]
        self.emulator.faults.add(fault)

    def sent(self, method: str) -> int:
        return len([r for r in self.emulator.requests if r.method == method])


@pytest.fixture
def line() -> Iterator[Line]:
    emulator = Emulator(clock=Clock(datetime(2026, 3, 1, 12, tzinfo=UTC)))
    us = emulator.add_user("gitops", role="admin", service_user=True)
    bot = UserId(emulator.add_user("ci|bot", role="user", service_user=True))
    credential = Secret(emulator.issue(us, "bootstrap", days=365))
    slept: list[float] = []
    ticks = iter(range(10**6))
    with serve(emulator) as url:
        endpoint = Endpoint(url, credential)
        api = writer(
            endpoint, clock=lambda: next(ticks) / 1000, sleep=slept.append, random=lambda: 0.5
        )
        with api:
            yield Line(emulator, url, bot, credential, slept, api)


def raw(text: str, kind: str = "application/json") -> Raw:
    return Raw(200, kind, text.encode())


def listed(**fields: str) -> str:
    facts = {
        "id": "d1k2m3n4o5p6q7r8s9t0", "name": "x", "created_by": "u",
        "created_at": "2026-03-01T12:00:00Z", "expiration_date": "2026-06-01T12:00:00Z", **fields,
    }  # fmt: skip
    return "[{" + ",".join(f'"{k}":"{v}"' for k, v in facts.items()) + "}]"


def test_an_empty_list_is_null(line: Line) -> None:
    assert line.api.tokens(line.bot) == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.1Z", datetime(2026, 3, 1, 12, 0, 0, 100000, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456789Z", datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T13:00:00.5+01:00", datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_times_are_read_to_the_microsecond_in_utc(
    line: Line, written: str, expected: datetime
) -> None:
    line.fails(raw(listed(created_at=written)))
    (token,) = line.api.tokens(line.bot)
    assert token.created_at == expected
    assert token.last_used is None


def test_a_token_of_year_1_never_works(line: Line) -> None:
    line.fails(raw(listed(expiration_date="0001-01-01T00:00:00Z")))
    (token,) = line.api.tokens(line.bot)
    assert not token.works(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    ["{}", "[null]", '"text"', "[{}]", listed(created_at="yesterday"), "[", '{"a":1}', listed()[:-3]],
)
def test_answers_of_another_shape_are_bad_answers(line: Line, body: str) -> None:
    line.fails(raw(body), times=None)
    with pytest.raises((BadAnswer, Unavailable)):
        line.api.tokens(line.bot)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (Status(403, "permission denied"), Forbidden),
        (Status(403, "admin role required to perform this action"), Forbidden),
        (Status(401, "token invalid"), Unauthenticated),
        (Status(404, "invalid token: pat: abc not found"), Unauthenticated),
        (Status(404, "pat: somethingelse not found"), ApiError),
        (Status(422, "no"), Rejected),
        (Status(429, "too many requests"), Unavailable),
        (Status(503, "down"), Unavailable),
        (Html(502), (Unavailable, BadAnswer)),
        (Html(200), BadAnswer),
        (Redirect("https://elsewhere.example/x"), BadAnswer),
        (Drop(), Unavailable),
        (Truncate(), (Unavailable, BadAnswer)),
    ],
)
def test_a_read_that_keeps_failing_says_why_and_what_to_try(
    line: Line, action: object, error: type[Exception]
) -> None:
    line.emulator.issue(line.bot, "x", days=3)
    line.fails(action, times=None, when="after" if isinstance(action, Truncate) else "before")
    with pytest.raises(error) as caught:
        line.api.tokens(line.bot)
    assert isinstance(caught.value, ApiError)
    assert caught.value.hint
    assert "nbp_" not in str(caught.value)


@pytest.mark.parametrize(
    "action", [Status(401, "token invalid"), Status(429, "slow"), Status(502, "x"), Drop()]
)
def test_a_read_heals(line: Line, action: object) -> None:
    line.fails(action)
    assert line.api.tokens(line.bot) == ()
    assert line.sent("GET") >= 1
    assert sum(line.slept) < 60


def test_an_unknown_user_and_an_unknown_token_are_gone(line: Line) -> None:
    with pytest.raises(Gone):
        line.api.tokens(UserId("NoSuch"))
    with pytest.raises(Gone):
        line.api.revoke(line.bot, TokenId("d1k2m3n4o5p6q7r8s9t0"))
    with pytest.raises(Gone):
        line.api.token(line.bot, TokenId("d1k2m3n4o5p6q7r8s9t0"))


def test_a_dead_credential_is_never_taken_for_a_token_that_is_gone(line: Line) -> None:
    line.emulator.issue(line.bot, "x", days=3)
    (token,) = line.emulator.tokens(line.bot)
    for own in line.emulator.tokens(line.api.users()[0].id) + line.emulator.tokens(line.api.users()[1].id):
        if own.name == "bootstrap":
            line.emulator.forget(own.id)
            break
    with pytest.raises(Unauthenticated):
        line.api.revoke(line.bot, TokenId(token.id))


@pytest.mark.parametrize(
    ("action", "when"),
    [
        (Drop(), "after"), (Drop(), "before"), (Status(500, "x"), "after"), (Html(502), "after"),
        (Truncate(), "after"), (raw("{}"), "after"), (raw("null"), "after"),
    ],
)  # fmt: skip
def test_a_create_whose_answer_is_lost_is_uncertain_and_sent_once(
    line: Line, action: object, when: str
) -> None:
    line.fails(action, method="POST", when=when, times=None)
    with pytest.raises(Uncertain) as caught:
        line.api.create(line.bot, "x", 3)
    assert line.sent("POST") == 1
    assert "nbp_" not in str(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    ("code", "error"), [(403, Forbidden), (422, Rejected), (400, Rejected), (401, Unauthenticated)]
)
def test_a_create_that_is_refused_made_nothing(line: Line, code: int, error: type[Exception]) -> None:
    line.fails(Status(code, "no"), method="POST", times=None)
    with pytest.raises(error):
        line.api.create(line.bot, "x", 3)
    assert line.emulator.tokens(line.bot) == ()


def test_a_create_that_was_limited_is_sent_again(line: Line) -> None:
    line.fails(Status(429, "too many requests"), method="POST", times=2)
    minted = line.api.create(line.bot, "x", 3)
    assert line.emulator.authenticates(minted.secret.reveal()) == line.bot
    assert len(line.emulator.tokens(line.bot)) == 1
    assert line.slept


def test_a_revoke_without_an_answer_is_uncertain(line: Line) -> None:
    minted = line.api.create(line.bot, "x", 3)
    line.fails(Drop(), method="DELETE", when="after")
    with pytest.raises(Uncertain):
        line.api.revoke(line.bot, minted.token.id)
    assert line.emulator.tokens(line.bot) == ()


def test_a_new_token_is_proved(line: Line) -> None:
    minted = line.api.create(line.bot, "x", 3)
    assert line.api.authenticates(minted.secret)
    line.api.revoke(line.bot, minted.token.id)
    assert not line.api.authenticates(minted.secret)
    assert not line.api.authenticates(Secret("nbp_short"))


def test_server_time_is_the_servers(line: Line) -> None:
    line.api.users()
    assert line.api.server_time().replace(second=0) == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_long_lists_come_in_chunks(line: Line) -> None:
    for n in range(40):
        line.emulator.issue(line.bot, f"t{n}", days=3)
    assert len(line.api.tokens(line.bot)) == 40


def test_events_are_read(line: Line) -> None:
    line.api.create(line.bot, "x", 3)
    assert line.api.events()[0].name == "x"


def test_nobody_is_hidden_when_nothing_listens() -> None:
    emulator = Emulator()
    us = emulator.add_user("x", role="admin", service_user=True)
    credential = Secret(emulator.issue(us, "x"))
    with serve(emulator) as url:
        pass
    ticks = iter(range(10**6))
    with (
        reader(Endpoint(url, credential), clock=lambda: float(next(ticks)), sleep=lambda _: None) as api,
        pytest.raises(Unavailable) as caught,
    ):
        api.users()
    assert caught.value.hint


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://api.netbird.io", "https://api.netbird.io"),
        ("https://api.netbird.io/", "https://api.netbird.io"),
        ("https://nb.example/api/", "https://nb.example"),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://localhost:8080/prefix/api", "http://localhost:8080/prefix"),
    ],
)
def test_what_people_paste_is_one_server(line: Line, given: str, url: str) -> None:
    assert Endpoint(given, line.credential).url.rstrip("/").removesuffix(":80") == url.removesuffix(":80")


@pytest.mark.parametrize(
    "url",
    ["http://nb.example", "https://user:pw@nb.example", "https://nb.example/?x=1", "ftp://x", "nb.example",
     "https://nb.example/#a", "", "https://"],
)  # fmt: skip
def test_addresses_that_could_leak_the_credential_are_refused(line: Line, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url, line.credential)
    assert "pw" not in str(caught.value)


def test_the_limiter_is_waited_for() -> None:
    emulator = Emulator(rate_limit=RateLimit(600_000, 1))
    us = emulator.add_user("x", role="admin", service_user=True)
    credential = Secret(emulator.issue(us, "x"))
    with serve(emulator) as url, reader(Endpoint(url, credential), random=lambda: 0.01) as api:
        for _ in range(3):
            api.users()
