"""What a read makes of an answer: which error it is, what to try, whether it is asked again."""

from __future__ import annotations

import gzip
import json
import socket

import pytest
from callers import BOT, TOKEN, Time, talk
from raw_server import RawServers, answered
from requests.structures import CaseInsensitiveDict

from reconciler.api import Endpoint, HttpTokenApi, reader
from reconciler.api.refusals import Call, refusal
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, UserId
from reconciler.emulator import (
    Action,
    Drop,
    Emulator,
    Fault,
    Hang,
    Html,
    RateLimit,
    Raw,
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
)
from reconciler.http import Answer, Json, Text

LATER, ADDRESS, ROLE = "try again later", "management_url", "service user with the role admin"
NETWORK, CHANGE = "the network and the proxy", "change what was asked"
VALIDATION = "failed to validate user permissions: "
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def raw(body: str, kind: str = "application/json", status: int = 200) -> Raw:
    return Raw(status, kind, body.encode())


@pytest.mark.parametrize(
    ("action", "error", "says", "advice", "tries"),
    [
        (Status(400, "couldn't parse JSON request"), Rejected, "400: couldn't", "proxy", 1),
        (Status(401, "token invalid"), Unauthenticated, "401: token invalid", "expired", 2),
        (Status(401, "no valid authentication provided"), Unauthenticated, "401", "header", 2),
        (Html(401), Unauthenticated, "401: no JSON but “401 Error”", "expired", 2),
        (Status(403, "permission denied"), Forbidden, "403: permission denied", ROLE, 1),
        (Status(403, "admin role required to perform this action"), Forbidden, "403", "only its own", 1),
        (Status(403, "user is blocked"), Forbidden, "blocked", "unblock the user", 1),
        (Status(403, f"{VALIDATION}user is pending approval"), Forbidden, "pending", "approve", 1),
        (Status(403, f"{VALIDATION}user role: billing_admin not found"), Forbidden, "403", ROLE, 1),
        (Status(403, f"{VALIDATION}user is not part of this account"), Forbidden, "403", "account", 1),
        (Status(403, "in other words"), Forbidden, "403: in other words", ROLE, 1),
        (Html(403), BadAnswer, "403: no JSON but “403 Error”", ADDRESS, 1),
        (Status(404, "invalid token: pat: abc not found"), Unauthenticated, "not know", "revoked", 1),
        (Status(404, "pat: abc not found"), Unauthenticated, "404: pat: abc", "revoked", 5),
        (Status(404, "user: other not found"), BadAnswer, "404: user: other", ADDRESS, 1),
        (raw("404 page not found\n", "text/plain", 404), BadAnswer, "404 page not found", ADDRESS, 1),
        (Status(408, "slow"), Unavailable, "408: slow", LATER, 5),
        (Status(409, "no"), Rejected, "409: no", CHANGE, 1),
        (Status(412, "no"), Rejected, "412: no", CHANGE, 1),
        (Status(418, "no"), BadAnswer, "418: no", ADDRESS, 1),
        (Status(422, "no"), Rejected, "422: no", CHANGE, 1),
        (Status(429, "too many requests"), Unavailable, "429: too many", "less often", 12),
        (Html(429), Unavailable, "429", "less often", 12),
        (Status(500, "internal"), Unavailable, "500: internal", LATER, 5),
        (Html(502), Unavailable, "502: no JSON but “502 Error”", LATER, 5),
        (Status(503, "down"), Unavailable, "503: down", LATER, 5),
        (raw("", "text/plain", 504), Unavailable, "504: an empty body", LATER, 5),
        (Html(200), BadAnswer, "no JSON but “200 Error”", ADDRESS, 1),
        (raw("", "text/plain"), BadAnswer, "an empty body", ADDRESS, 1),
        (raw('[{"id":"d1k2m3'), BadAnswer, "200: no JSON", ADDRESS, 5),
        (raw('{"a":1}'), BadAnswer, "tokens is an object, not a list", ADDRESS, 1),
        (raw("[null]"), BadAnswer, r"tokens\[0\] is missing or null", ADDRESS, 1),
        (Drop(), Unavailable, "closed without an answer", NETWORK, 5),
        (Truncate(), Unavailable, "the answer broke off", NETWORK, 5),
    ],
)  # fmt: skip
def test_a_read_that_keeps_failing_says_why_and_what_to_try(
    emulator: Emulator,
    api: HttpTokenApi,
    action: Action,
    error: type[ApiError],
    says: str,
    advice: str,
    tries: int,
) -> None:
    emulator.faults.add(Fault(action, times=None))
    with pytest.raises(error, match=says) as failed:
        api.tokens(BOT)
    assert type(failed.value) is error
    assert advice in failed.value.hint
    assert len(emulator.requests) == tries


@pytest.mark.parametrize("may_quote", [True, False])
@pytest.mark.parametrize("content", [Json({"message": "no"}), Json([]), Text(""), Text("<p>no</p>")])
def test_no_refusal_is_without_advice(content: Json | Text, may_quote: bool) -> None:
    for status in range(201, 600):
        answer = Answer(status, CaseInsensitiveDict(), content)
        assert refusal(answer, Call("look", "users", may_quote=may_quote)).hint


@pytest.mark.parametrize(
    "action",
    [
        Status(401, "token invalid"),
        Status(404, "pat: abc not found"),  # MySQL, two requests in one millisecond
        Status(408, "slow"),
        Status(429, "too many requests"),
        Html(502),
        Status(503, "down"),
        Drop(),
        Truncate(),
    ],
)
def test_a_read_heals(emulator: Emulator, api: HttpTokenApi, time: Time, action: Action) -> None:
    emulator.faults.add(Fault(action))
    assert api.tokens(BOT) == ()
    assert len(emulator.requests) == 2
    assert time.slept in ([0.25], [0.5])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"5\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]",
        b"garbage\r\n\r\n",
        answered(b'[{"id": "a"'),
    ],
)
def test_a_broken_answer_is_asked_for_again(
    raw_servers: RawServers, credential: Secret, time: Time, answer: bytes
) -> None:
    server = raw_servers.start(answer + b"\nConnection: close", answered(b"[]"))
    with talk(server.url, credential, time) as api:
        assert api.users() == ()
    assert time.slept
    assert len(server.heard) == 2


def test_retry_after_is_honoured(emulator: Emulator, api: HttpTokenApi, time: Time) -> None:
    emulator.faults.add(Fault(Status(429, "too many requests", {"Retry-After": "7"})))
    api.users()
    assert time.slept == [7.5]


def test_the_deadline_ends_all_waiting(emulator: Emulator, api: HttpTokenApi, time: Time) -> None:
    emulator.faults.add(Fault(Status(429, "too many requests"), times=None))
    with pytest.raises(Unavailable, match="429"):
        api.users()
    assert 60 < sum(time.slept) <= 120


def test_a_servers_own_limit_is_waited_for() -> None:
    emulator = Emulator(rate_limit=RateLimit(600_000, 1))
    us = emulator.add_user("x", role="admin", service_user=True)
    credential = Secret(emulator.issue(us, "x"))
    with serve(emulator) as url, reader(Endpoint(url, credential), random=lambda: 0.01) as api:
        for _ in range(3):
            api.users()


def test_where_nothing_listens_nothing_was_done(credential: Secret) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with talk(url, credential) as api, pytest.raises(Unavailable) as missed:
        api.users()
    assert "nothing was done" in missed.value.hint


def test_silence_is_no_answer(
    emulator: Emulator, api: HttpTokenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.api.http.TIMEOUT", (1, 0.05))
    emulator.faults.add(Fault(Hang(0.15), times=None))
    with pytest.raises(Unavailable, match="no answer in time"):
        api.users()


# Large answers


def test_a_long_list_comes_in_chunks(emulator: Emulator, api: HttpTokenApi) -> None:
    for n in range(40):
        emulator.issue(BOT, f"t{n}", days=3)
    assert len(api.tokens(BOT)) == 40


def test_chunks_may_be_small_and_have_more_to_them(
    raw_servers: RawServers, credential: Secret
) -> None:
    parts = b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in json.dumps([TOKEN]).encode())
    server = raw_servers.start(CHUNKED + parts + b"0\r\nX-Trailer: x\r\n\r\n")
    with talk(server.url, credential) as api:
        assert [token.id for token in api.tokens(BOT)] == ["tok1"]


@pytest.mark.parametrize(
    "answer",
    [
        answered(b" " * 5000),
        answered(b" " * 200_000, "Location: https://evil.example", status="302 Found"),
        answered(gzip.compress(b" " * 5_000_000), "Content-Encoding: gzip"),
        CHUNKED + b"7d0\r\n" + b" " * 2000 + b"\r\n",
    ],
    ids=["plain", "redirect", "gzip bomb", "chunks without end"],
)
def test_an_answer_without_end_is_cut(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr("reconciler.api.http.MAX_BODY", 1000)
    server = raw_servers.start(answer)
    with talk(server.url, credential) as api, pytest.raises(BadAnswer, match="larger than") as cut:
        api.users()
    assert cut.value.hint
    assert len(server.heard) == 1


# What is not there


def test_an_unknown_user_and_an_unknown_token_are_gone(api: HttpTokenApi) -> None:
    with pytest.raises(Gone, match="user: nosuch not found"):
        api.tokens(UserId("NoSuch"))
    with pytest.raises(Gone, match="pat: d1k2m3n4o5p6q7r8s9t0 not found"):
        api.token(BOT, TokenId("d1k2m3n4o5p6q7r8s9t0"))
    with pytest.raises(Gone, match="user: nosuch not found"):
        api.token(UserId("NoSuch"), TokenId("d1k2m3n4o5p6q7r8s9t0"))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("pat: tok1 not found", Gone),
        ("user: bot not found", Gone),
        ("pat: tok2 not found", Unauthenticated),
        ("invalid token: pat: tok1 not found", Unauthenticated),
        ("user: other not found", BadAnswer),
        ("pat: tok1 not found.", BadAnswer),
    ],
)
def test_only_the_exact_words_about_the_id_asked_for_prove_it_gone(
    emulator: Emulator, api: HttpTokenApi, message: str, error: type[ApiError]
) -> None:
    emulator.faults.add(Fault(Status(404, message), times=None))
    for call in (api.token, api.revoke):
        with pytest.raises(error):
            call(BOT, TokenId("TOK1"))


def test_a_dead_credential_is_never_taken_for_a_token_that_is_gone(
    emulator: Emulator, api: HttpTokenApi
) -> None:
    emulator.issue(BOT, "x", days=3)
    (wanted,), (own,) = emulator.tokens(BOT), emulator.tokens("us")
    emulator.forget(own.id)
    for call in (api.token, api.revoke):
        with pytest.raises(Unauthenticated, match="does not know our credential"):
            call(BOT, wanted.id)
    assert emulator.tokens(BOT) == (wanted,)


# What else is read


def test_events_are_read(api: HttpTokenApi) -> None:
    api.create(BOT, "x", 3)
    (event,) = api.events()
    assert (event.name, event.initiator_id, event.target_id) == ("x", "us", BOT)


def test_the_time_is_that_of_the_first_good_answer(
    raw_servers: RawServers, credential: Secret
) -> None:
    dates = [f"Date: Sun, 01 Mar 2026 12:00:0{second} GMT" for second in range(4)]
    server = raw_servers.start(
        answered(b"busy", dates[0], status="503 Service Unavailable"),
        answered(b"[]", dates[1]),
        answered(b"[]", dates[2]),
        answered(b"[]", dates[3]),
    )
    with talk(server.url, credential) as api:
        assert api.server_time().second == 1
        api.users()
        assert api.server_time().second == 1
    assert len(server.heard) == 3


def test_the_servers_time_needs_a_date(raw_servers: RawServers, credential: Secret) -> None:
    server = raw_servers.start(answered(b"[]", "Date: soon"))
    with talk(server.url, credential) as api:
        for _ in range(2):  # our own clock never steps in later either
            with pytest.raises(BadAnswer, match="Date") as odd:
                api.server_time()
    assert odd.value.hint
