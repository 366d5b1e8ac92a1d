"""The emulator against the rows of netbird-api.md §8, over HTTP, as any client meets them."""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.emulator import (
    Clock,
    Delay,
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


@dataclass
class Server:
    emulator: Emulator
    url: str
    admin: str
    pat: str
    bot: str

    def call(
        self, method: str, path: str, body: object = None, auth: str | None = ""
    ) -> tuple[int, object, dict[str, str]]:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=5)
        headers = {} if auth is None else {"Authorization": auth or f"Token {self.pat}"}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        try:
            connection.request(method, path, raw, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        found = dict(answer.getheaders())
        kind = found.get("Content-Type", "")
        return answer.status, json.loads(text) if "json" in kind else text, found

    def tokens(self) -> str:
        return f"/api/users/{self.bot}/tokens"

    def message(self, method: str, path: str, body: object = None, auth: str | None = "") -> object:
        status, answer, _ = self.call(method, path, body, auth)
        assert isinstance(answer, dict)
        assert answer["code"] == status
        return status, answer["message"]


def build(emulator: Emulator, url: str) -> Server:
    admin = emulator.add_user("gitops", role="admin", service_user=True)
    bot = emulator.add_user("ci-bot", role="user", service_user=True)
    return Server(emulator, url, admin, emulator.issue(admin, "bootstrap", days=365), bot)


@pytest.fixture
def server() -> Iterator[Server]:
    emulator = Emulator(clock=Clock(datetime(2026, 3, 1, 12, tzinfo=UTC)))
    with serve(emulator) as url:
        yield build(emulator, url)


RANGE = "expiration has to be between 1 and 365"
BAD_JSON = "couldn't parse JSON request"
NO_NAME = "token name can't be empty"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "", "expires_in": 3}, (422, NO_NAME)),  # row 5
        ({"name": "x", "expires_in": 0}, (422, RANGE)),  # row 7
        ({"name": "x", "expires_in": 366}, (422, RANGE)),
        ({"name": "x"}, (422, RANGE)),
        ({"name": "x", "expires_in": None}, (422, RANGE)),
        ({"name": "x", "expires_in": "3"}, (400, BAD_JSON)),  # row 9
        ({"name": "x", "expires_in": 3.5}, (400, BAD_JSON)),
        ({"name": "x", "expires_in": True}, (400, BAD_JSON)),
        (b"", (400, BAD_JSON)),  # row 10
        (b"[]", (400, BAD_JSON)),
        (b'{"name":', (400, BAD_JSON)),
        (b"null", (422, NO_NAME)),  # row 11
    ],
)
def test_bodies_that_are_refused(server: Server, body: object, expected: tuple[int, str]) -> None:
    assert server.message("POST", server.tokens(), body) == expected
    assert server.emulator.tokens(server.bot) == ()


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"x","expires_in":1}',  # row 8
        b'{"name":"x","expires_in":365}',
        b'{"name":" ","expires_in":3}',  # row 6
        b'{"name":"x","expires_in":3} junk',  # row 12
        b'{"NAME":"x","Expires_In":3,"foo":1}',  # row 13
    ],
)
def test_bodies_that_are_accepted(server: Server, body: bytes) -> None:
    status, answer, _ = server.call("POST", server.tokens(), body)
    assert status == 200
    assert isinstance(answer, dict)
    assert server.emulator.authenticates(answer["plain_token"]) == server.bot
    assert "last_used" not in answer["personal_access_token"]


def test_an_empty_list_is_null_and_names_are_not_unique(server: Server) -> None:  # rows 1, 4
    assert server.call("GET", server.tokens())[1] is None
    for _ in range(2):
        server.call("POST", server.tokens(), {"name": "a<b>&c", "expires_in": 30})
    listed = server.call("GET", server.tokens())[1]
    assert isinstance(listed, list)
    assert [token["name"] for token in listed] == ["a<b>&c"] * 2
    assert len({token["id"] for token in listed}) == 2


def test_delete_twice(server: Server) -> None:  # rows 20, 21
    server.emulator.issue(server.bot, "x", days=3)
    (token,) = server.emulator.tokens(server.bot)
    path = f"{server.tokens()}/{token.id}"
    assert server.call("GET", path)[0] == 200
    assert server.call("DELETE", path)[:2] == (200, {})
    assert server.message("DELETE", path) == (404, f"pat: {token.id} not found")
    other = f"/api/users/{server.admin}/tokens/{token.id}"
    assert server.message("GET", other) == (404, f"pat: {token.id} not found")


def test_authentication(server: Server) -> None:  # rows 22 to 27
    dead = server.emulator.issue(server.admin, "dead", days=3)
    dead_id = next(t.id for t in server.emulator.tokens(server.admin) if t.name == "dead")
    server.emulator.forget(dead_id)
    status, message = server.message("GET", "/api/users", auth=f"Token {dead}")  # type: ignore[misc]
    assert status == 404
    assert re.fullmatch(r"invalid token: pat: \S+ not found", str(message))
    wrong = server.pat[:-1] + ("a" if server.pat[-1] != "a" else "b")
    for auth in (f"Token {wrong}", f"Token  {server.pat}", "Token"):
        assert server.message("GET", "/api/users", auth=auth) == (401, "token invalid")
    for nobody in (None, "Basic eDp5"):
        expected = (401, "no valid authentication provided")
        assert server.message("GET", "/api/users", auth=nobody) == expected
    for auth in (f"Bearer {server.pat}", f"tOkEn {server.pat}"):
        assert server.call("GET", "/api/users", auth=auth)[0] == 200


def test_expired_tokens_are_refused_listed_and_deletable(server: Server) -> None:  # rows 23, 28
    old = server.emulator.issue(server.bot, "old", days=1)
    server.emulator.clock.advance(timedelta(days=2))
    assert server.message("GET", "/api/users", auth=f"Token {old}") == (401, "token invalid")
    listed = server.call("GET", server.tokens())[1]
    assert isinstance(listed, list)
    assert server.call("DELETE", f"{server.tokens()}/{listed[0]['id']}")[0] == 200


def test_last_used_moves_with_every_request(server: Server) -> None:
    listed = server.call("GET", f"/api/users/{server.admin}/tokens")[1]
    assert isinstance(listed, list)
    assert listed[0]["last_used"].startswith("2026-03-01T12:00:")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/users/{bot}/tokens/"),  # row 30
        ("PATCH", "/api/users/{bot}/tokens"),  # row 31
        ("GET", "/api/users/{bot}"),
        ("GET", "/api/users/a%2Fb/tokens"),  # row 33
        ("GET", "/nothing"),
    ],
)
def test_unknown_routes_are_text_without_authentication(
    server: Server, method: str, path: str
) -> None:
    status, text, headers = server.call(method, path.format(bot=server.bot), auth=None)
    assert (status, text) == (404, "404 page not found\n")
    assert "X-Request-Id" not in headers


def test_an_empty_segment_redirects(server: Server) -> None:  # row 32
    status, _, headers = server.call("POST", "/api/users//tokens", {"name": "x", "expires_in": 3})
    assert status == 301
    assert headers["Location"] == "/api/users/tokens"


ADMIN = (403, "admin role required to perform this action")
DENIED = (403, "permission denied")
OSS = (403, "failed to validate user permissions: user role: billing_admin not found")


@pytest.mark.parametrize(
    ("role", "service", "own_list", "own_create", "other_list", "other_create"),
    [
        ("admin", True, 200, 200, 200, 200),
        ("admin", False, 200, 200, 200, 200),
        ("owner", False, 200, 200, 200, 200),
        ("user", True, 200, DENIED, ADMIN, DENIED),
        ("auditor", True, 200, DENIED, ADMIN, DENIED),
        ("network_admin", True, 200, 200, ADMIN, ADMIN),
        ("billing_admin", True, 200, OSS, ADMIN, OSS),
        ("user", False, DENIED, DENIED, DENIED, DENIED),
        ("auditor", False, 200, DENIED, ADMIN, DENIED),
        ("network_admin", False, 200, 200, ADMIN, ADMIN),
        ("billing_admin", False, OSS, OSS, OSS, OSS),
    ],
)
def test_permissions(
    server: Server, role: str, service: bool, own_list: object, own_create: object,
    other_list: object, other_create: object,
) -> None:  # fmt: skip
    caller = server.emulator.add_user("caller", role=role, service_user=service)
    auth = f"Token {server.emulator.issue(caller, 'pat', days=9)}"
    body = {"name": "x", "expires_in": 3}
    for user, method, expected in (
        (caller, "GET", own_list), (caller, "POST", own_create),
        (server.bot, "GET", other_list), (server.bot, "POST", other_create),
    ):  # fmt: skip
        status, answer, _ = server.call(
            method, f"/api/users/{user}/tokens", body if method == "POST" else None, auth
        )
        if isinstance(expected, tuple):
            assert isinstance(answer, dict)
            assert (status, answer["message"]) == expected, (method, user)
        else:
            assert status == expected, (method, user)


def test_other_people_and_unknown_users(server: Server) -> None:  # rows 16 to 18
    alice = server.emulator.add_user("Alice", role="user")
    assert server.message("GET", f"/api/users/{alice}/tokens") == ADMIN
    unknown = server.message("GET", "/api/users/NoSuch%7CX/tokens")
    assert unknown == (404, "user: nosuch|x not found")


def test_blocked_and_deleted_users(server: Server) -> None:  # rows 37, 43, 44, 50
    secret = server.emulator.issue(server.bot, "x", days=3)
    server.emulator.block(server.bot)
    expected = (403, "failed to validate user permissions: user is blocked")
    assert server.message("GET", server.tokens(), auth=f"Token {secret}") == expected
    assert server.call("POST", server.tokens(), {"name": "y", "expires_in": 3})[0] == 200
    assert server.call("DELETE", f"/api/users/{server.bot}")[:2] == (200, {})
    assert server.message("GET", "/api/users", auth=f"Token {secret}")[0] == 404  # type: ignore[index]
    own = server.message("DELETE", f"/api/users/{server.admin}")
    assert own == (422, "self deletion is not allowed")


def test_service_users_are_made_and_changed(server: Server) -> None:  # rows 54, 55, 40, 35
    body = {"name": "new", "role": "ADMIN", "auto_groups": [], "is_service_user": True}
    status, made, _ = server.call("POST", "/api/users", body)
    assert status == 200
    assert isinstance(made, dict)
    assert (made["role"], made["is_service_user"]) == ("admin", True)
    owner = server.message("POST", "/api/users", {**body, "role": "owner"})
    assert owner == (422, "can't create a service user with owner role")
    bogus = server.message("POST", "/api/users", {**body, "role": "bogus"})
    assert bogus == (422, "unknown user role bogus")
    path = f"/api/users/{made['id']}"
    change = {"role": "user", "auto_groups": [], "is_blocked": True}
    assert server.call("PUT", path, change)[0] == 200
    listed = server.call("GET", "/api/users?service_user=true")[1]
    assert isinstance(listed, list)
    assert [u["is_blocked"] for u in listed if u["id"] == made["id"]] == [True]
    assert server.call("PUT", path, {"role": "user", "auto_groups": []})[0] == 200
    assert server.message("GET", "/api/users/current") == DENIED
    wrong = server.message("GET", "/api/users?service_user=yes")
    assert wrong == (422, "invalid service_user query parameter")


def test_events_name_who_and_whose(server: Server) -> None:
    server.call("POST", server.tokens(), {"name": "x", "expires_in": 3})
    events = server.call("GET", "/api/events/audit")[1]
    assert isinstance(events, list)
    newest = events[0]
    assert newest["activity_code"] == "personal.access.token.create"
    assert (newest["initiator_id"], newest["target_id"]) == (server.admin, server.bot)
    assert newest["meta"]["name"] == "x"


def test_parallel_deletes_have_one_winner(server: Server) -> None:  # row 46
    server.emulator.issue(server.bot, "x", days=3)
    (token,) = server.emulator.tokens(server.bot)
    found: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(server.call("DELETE", f"{server.tokens()}/{token.id}")[0])
        )
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] + [404] * 9


def test_the_limiter_answers_429_without_retry_after() -> None:  # row 38
    emulator = Emulator(clock=Clock(), rate_limit=RateLimit(6, 8))
    with serve(emulator) as url:
        server = build(emulator, url)
        codes = [server.call("GET", "/api/users") for _ in range(9)]
    assert [code for code, _, _ in codes] == [200] * 8 + [429]
    assert "Retry-After" not in codes[-1][2]


def test_days_are_calendar_days_in_the_servers_zone() -> None:  # row 49
    clock = Clock(datetime(2026, 3, 27, 12, tzinfo=UTC))
    emulator = Emulator(clock=clock, time_zone="Europe/Berlin")
    bot = emulator.add_user("b", role="user", service_user=True)
    emulator.issue(bot, "x", days=30)
    (token,) = emulator.tokens(bot)
    assert token.expires_at - token.created_at == timedelta(hours=719)


def test_a_sqlite_store_outlives_its_emulator(tmp_path: Path) -> None:
    first = Emulator(clock=Clock(), store=tmp_path / "store.db")
    bot = first.add_user("b", role="admin", service_user=True)
    secret = first.issue(bot, "x", days=3)
    second = Emulator(clock=Clock(), store=tmp_path / "store.db")
    assert second.authenticates(secret) == bot


def test_faults_before_and_after_acting(server: Server) -> None:
    body = {"name": "x", "expires_in": 3}
    for when, count in (("before", 0), ("after", 1)):
        server.emulator.faults.add(Fault(method="POST", when=when, action=Status(500, "no")))
        assert server.message("POST", server.tokens(), body) == (500, "no")
        assert len(server.emulator.tokens(server.bot)) == count
    for action in (Drop(), Truncate()):
        server.emulator.faults.add(Fault(method="GET", when="after", action=action))
        with pytest.raises((http.client.HTTPException, ConnectionError, json.JSONDecodeError)):
            server.call("GET", "/api/users")
    server.emulator.faults.add(Fault(method="GET", when="before", action=Html(502)))
    assert "<" in str(server.call("GET", "/api/users")[1])
    server.emulator.faults.add(Fault(method="GET", when="before", action=Redirect("https://x.example")))
    assert server.call("GET", "/api/users")[2]["Location"] == "https://x.example"
    server.emulator.faults.add(Fault(when="before", action=Raw(200, "text/plain", b"hi")))
    assert server.call("GET", "/api/users")[1] == "hi"
    server.emulator.faults.add(Fault(when="before", action=Delay(0.01), skip=1))
    assert server.call("GET", "/api/users")[0] == server.call("GET", "/api/users")[0] == 200
