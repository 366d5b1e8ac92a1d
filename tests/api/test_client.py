"""What the client must never do, whatever the wire does: write twice, leak, wander off, hide a cause."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler import __version__
from reconciler.api import Endpoint, HttpTokenApi, reader, writer
from reconciler.api.budget import Allowance, Budget, allowance_of
from reconciler.api.http import THREADS, Reading
from reconciler.api.retry import FAILING, LIMITED, ONCE_MORE, Again, Pace, delay, persist
from reconciler.core.secret import Secret, checksum
from reconciler.core.tokens import TokenId, UserId
from reconciler.emulator import Clock, Drop, Emulator, Fault, Raw, Redirect, Status, serve
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

BOT = UserId("bot")
CREDENTIAL = Secret(f"nbp_{'c' * 30}{checksum('c' * 30)}")
MINTED = f"nbp_{'m' * 30}{checksum('m' * 30)}"
CREATED = {
    "plain_token": MINTED,
    "personal_access_token": {
        "id": "tok1",
        "name": "x",
        "created_by": "us",
        "created_at": "2026-03-01T12:00:00Z",
        "expiration_date": "2026-03-04T12:00:00Z",
    },
}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, deadline: float = 120) -> Pace:
        return Pace(lambda: self.now, self.sleep, lambda: 0.5, deadline)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def emulator() -> Emulator:
    made = Emulator(clock=Clock(datetime(2026, 3, 1, 12, tzinfo=UTC)))
    made.add_user("us", role="admin", service_user=True, user_id="us")
    made.add_user("bot", role="user", service_user=True, user_id=BOT)
    return made


@pytest.fixture
def credential(emulator: Emulator) -> Secret:
    return Secret(emulator.issue("us", "bootstrap"))


@pytest.fixture
def api(emulator: Emulator, credential: Secret, time: Time) -> Iterator[HttpTokenApi]:
    with (
        serve(emulator) as url,
        writer(
            Endpoint(url, credential),
            clock=lambda: time.now,
            sleep=time.sleep,
            random=lambda: 0.5,
        ) as made,
    ):
        yield made


def framed(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Wire:
    """A server that answers each connection's requests with given bytes, then hangs up."""

    def __init__(self, *connections: tuple[bytes, ...]) -> None:
        self.connections = connections
        self.seen: list[bytes] = []

    @contextmanager
    def served(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._run, args=(listener,), daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            thread.join(5)

    def _run(self, listener: socket.socket) -> None:
        for answers in self.connections:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    self.seen.append(_request(connection))
                    connection.sendall(answer)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def talk(url: str, time: Time, deadline: float = 120) -> HttpTokenApi:
    return writer(
        Endpoint(url, CREDENTIAL),
        clock=lambda: time.now,
        sleep=time.sleep,
        random=lambda: 0.5,
        deadline=deadline,
    )


# Who may write


def test_a_reader_has_no_way_to_write(emulator: Emulator, credential: Secret) -> None:
    with serve(emulator) as url, reader(Endpoint(url, credential)) as looking:
        assert not isinstance(looking, HttpTokenApi)
        assert not {"create", "revoke", "post", "delete"} & set(dir(looking) + dir(Reading))
        for method in ("POST", "DELETE", "PUT"):
            with pytest.raises(RuntimeError, match="bug of ours"):
                looking._reading._session.request(method, f"{url}/api/users/bot/tokens")
        looking.users()
    assert [record.method for record in emulator.requests] == ["GET"]


def test_the_session_knows_no_way_to_another_host(emulator: Emulator, credential: Secret) -> None:
    with serve(emulator) as url, serve(emulator) as other:  # noqa: SIM117 - two servers, one client
        with reader(Endpoint(url, credential)) as looking, pytest.raises(OSError, match="No conn"):
            looking._reading._session.get(f"{other}/api/users")
    assert emulator.requests == []


def test_a_redirect_is_named_and_not_followed(emulator: Emulator, api: HttpTokenApi) -> None:
    other = Emulator()
    with serve(other) as elsewhere:
        emulator.faults.add(Fault(Redirect(f"{elsewhere}/api/users"), times=None))
        with pytest.raises(BadAnswer, match=r"redirect to 127\.0\.0\.1"):
            api.users()
        with pytest.raises(BadAnswer, match="redirect"):
            api.create(BOT, "x", 3)
    assert other.requests == []


# What is sent


def test_the_request_is_as_netbird_wants_it(time: Time) -> None:
    wire = Wire((framed(b"null", "Set-Cookie: a=b"), framed(b"null")))
    with wire.served() as url, talk(url, time) as api:
        assert api.tokens(UserId("ci|bot ü")) == api.tokens(BOT) == ()
    first, second = (each.decode() for each in wire.seen)
    assert first.startswith("GET /api/users/ci%7Cbot%20%C3%BC/tokens HTTP/1.1\r\n")
    assert f"Authorization: Token {CREDENTIAL.reveal()}\r\n" in first
    assert f"User-Agent: netbird-tokens/{__version__}\r\n" in first
    assert "cookie" not in second.lower()


def test_netrc_and_proxies_do_not_touch_a_server_on_this_machine(
    time: Time, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    wire = Wire((framed(b"[]"),))
    with wire.served() as url, talk(url, time) as api:
        api.users()
    assert b"Authorization: Token nbp_" in wire.seen[0]
    assert b"Basic" not in wire.seen[0]


def test_other_servers_are_reached_through_the_proxy(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire((b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",))
    with wire.served() as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        with talk("https://nb.example", time) as api, pytest.raises(Unavailable, match="Tunnel"):
            api.create(BOT, "x", 3)
    assert wire.seen[0].startswith(b"CONNECT nb.example:443")
    assert b"nbp_" not in wire.seen[0]


def test_a_missing_ca_bundle_is_said_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(UsageError, match="no CA bundle"):
        reader(Endpoint("https://nb.example", CREDENTIAL))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\nb", "a\0b"])
def test_ids_that_are_no_path_segment_are_not_sent(
    emulator: Emulator, api: HttpTokenApi, name: str
) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: api.tokens(UserId(name)),
        lambda: api.token(BOT, TokenId(name)),
        lambda: api.revoke(BOT, TokenId(name)),
        lambda: api.create(UserId(name), "x", 3),
    )
    for call in calls:
        with pytest.raises(Rejected, match="cannot be an id"):
            call()
    assert emulator.requests == []


@pytest.mark.parametrize("plain", ["", "nbp_short", "nbp_" + "x" * 36, f"{MINTED}\n"])
def test_a_credential_that_is_no_token_is_neither_sent_nor_shown(plain: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        Endpoint("https://nb.example", Secret(plain))
    assert not plain or plain not in str(refused.value)


def test_plain_http_beyond_this_machine_needs_a_word() -> None:
    with pytest.raises(UsageError) as refused:
        Endpoint("http://nb.example", CREDENTIAL)
    assert "allow_http" in refused.value.hint
    assert Endpoint("http://nb.example", CREDENTIAL, allow_http=True).url == "http://nb.example"


# What is kept


def test_threads_share_their_connections(time: Time) -> None:
    wire = Wire((framed(b"[]"), framed(b"[]"), framed(b"null")))
    with wire.served() as url, talk(url, time) as api:
        api.users()
        api.users()
        api.tokens(BOT)
    assert len(wire.seen) == 3  # there was one connection, and no second is served


def test_eight_threads_may_use_one_client(emulator: Emulator, api: HttpTokenApi) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda n: api.create(BOT, f"t{n}", 3), range(24)))
    assert len({each.secret.reveal() for each in made}) == 24
    assert {each.token.id for each in made} == {each.id for each in emulator.tokens(BOT)}


def test_no_secret_is_seen_from_outside(
    emulator: Emulator, api: HttpTokenApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    minted = api.create(BOT, "x", 3)
    session = api._reading._session
    seen = f"{minted!r} {vars(api)!r} {session.headers!r} {session.auth!r} {caplog.text}"
    assert "nbp_" not in seen
    assert "POST /api/users" in caplog.text  # urllib3 does log


# Reads


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]",
        b"garbage\r\n\r\n",
        framed(b'[{"id": "a"'),
    ],
)
def test_a_broken_answer_to_a_read_is_asked_for_again(time: Time, answer: bytes) -> None:
    wire = Wire((answer,), (framed(b"[]"),))
    with wire.served() as url, talk(url, time) as api:
        # A whole frame keeps the connection; the server then hangs up, which is one more failure.
        assert api.users() == ()
    assert time.slept
    assert len(wire.seen) == 2


def test_a_401_is_asked_once_more_and_then_believed(
    emulator: Emulator, api: HttpTokenApi, time: Time
) -> None:
    emulator.faults.add(Fault(Status(401, "token invalid"), times=None))
    with pytest.raises(Unauthenticated):
        api.users()
    assert len(emulator.requests) == 2
    assert time.slept == [0.25]


def test_retry_after_is_honoured(emulator: Emulator, api: HttpTokenApi, time: Time) -> None:
    emulator.faults.add(Fault(Status(429, "too many requests", {"Retry-After": "7"})))
    api.users()
    assert time.slept == [7.5]


def test_the_deadline_ends_all_waiting(emulator: Emulator, api: HttpTokenApi, time: Time) -> None:
    emulator.faults.add(Fault(Status(429, "too many requests"), times=None))
    with pytest.raises(Unavailable, match="429"):
        api.users()
    assert 60 < time.now <= 120


@pytest.mark.parametrize("code", [400, 403, 404, 412, 422])
def test_a_clear_no_is_not_asked_again(emulator: Emulator, api: HttpTokenApi, code: int) -> None:
    emulator.faults.add(Fault(Status(code, "no"), times=None))
    with pytest.raises(ApiError):
        api.users()
    assert len(emulator.requests) == 1


def test_an_answer_without_end_is_cut(
    emulator: Emulator, api: HttpTokenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.api.http.MAX_BODY", 1024)
    emulator.faults.add(Fault(Raw(200, "application/json", b" " * 5000), times=None))
    with pytest.raises(BadAnswer, match="larger than"):
        api.users()
    assert len(emulator.requests) == 1


def test_foreign_text_in_errors_is_tamed(emulator: Emulator, api: HttpTokenApi) -> None:
    message = f"no {MINTED} \x1b[31m\u202e" + "x" * 5000
    emulator.faults.add(Fault(Status(422, message)))
    with pytest.raises(Rejected) as refused:
        api.users()
    assert MINTED not in refused.value.message
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300


def test_a_text_404_asks_about_the_management_url(emulator: Emulator, api: HttpTokenApi) -> None:
    emulator.faults.add(Fault(Raw(404, "text/plain", b"404 page not found\n")))
    with pytest.raises(BadAnswer, match="404 page not found") as refused:
        api.tokens(BOT)
    assert "management_url" in refused.value.hint


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


def test_server_time_needs_a_date(time: Time) -> None:
    with Wire((framed(b"[]", "Date: soon"),)).served() as url, talk(url, time) as api:
        with pytest.raises(BadAnswer, match="Date"):
            api.server_time()
        with pytest.raises(BadAnswer, match="Date"):
            api.server_time()  # our own clock never steps in later either


# Writes


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"garbage\r\n\r\n",
        framed(b"{", status="200 OK"),
        framed(b"<html>", status="502 Bad Gateway"),
        framed(b"{}", status="408 Request Timeout"),
        framed(b"", status="204 No Content"),
    ],
)
def test_a_write_without_a_clear_answer_is_uncertain_and_sent_once(
    time: Time, answer: bytes
) -> None:
    writes: tuple[Callable[[HttpTokenApi], object], ...] = (
        lambda api: api.create(BOT, "x", 3),
        lambda api: api.revoke(BOT, TokenId("tok1")),
    )
    for write in writes:
        wire = Wire((answer,))
        with wire.served() as url, talk(url, time) as api, pytest.raises(Uncertain) as unsure:
            write(api)
        assert unsure.value.hint
        assert len(wire.seen) == 1
    assert time.slept == []


def test_a_stale_connection_is_no_licence_to_send_twice(time: Time) -> None:
    wire = Wire((framed(b"[]"), b""), (framed(json.dumps(CREATED).encode()),))
    with wire.served() as url, talk(url, time) as api:
        api.users()
        with pytest.raises(Uncertain):
            api.create(BOT, "x", 3)
        assert [each.split()[0] for each in wire.seen] == [b"GET", b"POST"]
        api.create(BOT, "y", 3)  # a person's second try; ends the wire


def test_where_nothing_was_sent_nothing_was_done(time: Time) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with talk(f"http://127.0.0.1:{port}", time) as api:
        for write in (lambda: api.create(BOT, "x", 3), lambda: api.revoke(BOT, TokenId("t"))):
            with pytest.raises(Unavailable) as missed:
                write()
            assert "nothing was done" in missed.value.hint
    assert time.slept == []


@pytest.mark.parametrize("spoiled", ["name", "created_at", "id", "plain_token"])
def test_an_odd_create_is_uncertain_names_the_token_and_never_its_secret(
    emulator: Emulator, api: HttpTokenApi, spoiled: str
) -> None:
    made = json.loads(json.dumps(CREATED))
    if spoiled == "plain_token":
        made[spoiled] = MINTED[:-1]
    else:
        made["personal_access_token"][spoiled] = 7
    emulator.faults.add(Fault(Raw(200, "application/json", json.dumps(made).encode())))
    with pytest.raises(Uncertain, match=rf"\.{spoiled}") as unsure:
        api.create(BOT, "x", 3)
    assert ("tok1" in unsure.value.message) is (spoiled != "id")
    assert MINTED[:12] not in "".join(traceback.format_exception(unsure.value))


def test_a_refused_create_quotes_known_words_only(emulator: Emulator, api: HttpTokenApi) -> None:
    emulator.faults.add(Fault(Status(422, f"odd {MINTED[:-9]}")))
    with pytest.raises(Rejected) as refused:
        api.create(BOT, "x", 3)
    assert "odd" not in refused.value.message
    emulator.faults.add(Fault(Status(403, "permission denied")))
    with pytest.raises(Forbidden, match="permission denied"):
        api.create(BOT, "x", 3)


def test_a_dropped_revoke_that_happened_is_gone_the_next_time(
    emulator: Emulator, api: HttpTokenApi
) -> None:
    minted = api.create(BOT, "x", 3)
    emulator.faults.add(Fault(Drop(), method="DELETE", when="after"))
    with pytest.raises(Uncertain):
        api.revoke(BOT, minted.token.id)
    with pytest.raises(Gone):
        api.revoke(BOT, minted.token.id)


def test_a_new_token_of_a_user_who_may_not_look_is_proved_all_the_same(
    emulator: Emulator, api: HttpTokenApi
) -> None:
    minted = api.create(BOT, "x", 3)
    emulator.faults.add(Fault(Status(403, "permission denied")))
    assert api.authenticates(minted.secret)
    emulator.faults.add(Fault(Status(503, "down"), times=None))
    with pytest.raises(Unavailable):  # neither yes nor no
        api.authenticates(minted.secret)


# Waiting


@pytest.mark.parametrize(
    ("patience", "ceilings"),
    [(ONCE_MORE, [0.5]), (FAILING, [0.5, 1, 2, 4]), (LIMITED, [1, 2, 4, 8, 16, 30, 30])],
)
def test_waits_grow_to_a_ceiling(patience, ceilings: list[float]) -> None:
    again = Again(patience)
    assert [delay(again, n + 1, 1.0) for n in range(len(ceilings))] == ceilings
    assert delay(again, 1, 0.0) == 0
    assert delay(again, patience.tries, 1.0) is None


def test_no_try_is_begun_after_the_deadline(time: Time) -> None:
    tries: list[float] = []
    persist(lambda: tries.append(time.now), lambda _: Again(LIMITED), time.pace(deadline=10))
    assert tries[-1] <= 10
    assert len(tries) == 5


def test_the_budget_lets_a_burst_through_and_then_queues(time: Time) -> None:
    budget = Budget(Allowance(burst=3, per_minute=60), time.pace())
    for _ in range(5):
        budget.take()
    assert time.slept == [1, 1]
    time.now += 100
    for _ in range(3):
        budget.take()
    assert time.slept == [1, 1]


@pytest.mark.parametrize(
    ("host", "limited"),
    [("api.netbird.io", True), ("netbird.io", True), ("notnetbird.io", False), ("nb.me", False)],
)
def test_only_the_cloud_has_a_known_limit(host: str, limited: bool) -> None:
    assert (allowance_of(host).burst < 1200) is limited


def test_the_command_line_starts_without_requests() -> None:
    code = "import sys, reconciler.cli; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
