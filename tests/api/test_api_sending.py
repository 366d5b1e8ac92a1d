"""What is sent, by which method, over which connection, and that it never goes anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from callers import BOT, talk
from raw_server import RawServers, answered

from reconciler import __version__
from reconciler.api import Endpoint, HttpTokenApi, reader
from reconciler.api.http import THREADS, Reading
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, UserId
from reconciler.emulator import Emulator, Fault, Redirect, serve
from reconciler.errors import BadAnswer, Rejected


def test_a_request_is_as_netbird_wants_it(raw_servers: RawServers, credential: Secret) -> None:
    refused = answered(b'{"message": "no", "code": 422}', status="422 Unprocessable Entity")
    server = raw_servers.start(answered(b"null"), refused)
    with talk(server.url, credential) as api:
        assert api.tokens(UserId("ci|bot ü")) == ()
        with pytest.raises(Rejected):
            api.create(BOT, "name ü", 3)
    read, write = (each.decode() for each in server.heard)
    assert read.startswith("GET /api/users/ci%7Cbot%20%C3%BC/tokens HTTP/1.1\r\n")
    assert write.startswith("POST /api/users/bot/tokens HTTP/1.1\r\n")
    for each in (read, write):
        assert f"Authorization: Token {credential.reveal()}\r\n" in each
        assert f"User-Agent: netbird-tokens/{__version__}\r\n" in each
        assert "Accept: application/json\r\n" in each
    assert "Content-Type: application/json\r\n" in write
    assert write.endswith('\r\n\r\n{"name": "name \\u00fc", "expires_in": 3}')


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
        with pytest.raises(Rejected, match="cannot be an id") as refused:
            call()
        assert refused.value.hint
    assert emulator.requests == []


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


def test_a_redirect_is_not_followed(emulator: Emulator, api: HttpTokenApi) -> None:
    other = Emulator()
    with serve(other) as elsewhere:
        emulator.faults.add(Fault(Redirect(f"{elsewhere}/api/users"), times=None))
        with pytest.raises(BadAnswer, match=r"redirect to 127\.0\.0\.1"):
            api.users()
        with pytest.raises(BadAnswer, match="redirect"):
            api.create(BOT, "x", 3)
    assert other.requests == []
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://evil.example/x", "evil.example"),
        ("//evil.example", "evil.example"),
        ("/api/users/tokens", "another path of the same host"),
        ("http://[", "an unreadable address"),
        ("", "another path of the same host"),
    ],
)
def test_odd_redirects_are_named_and_nothing_more(
    raw_servers: RawServers, credential: Secret, location: str, named: str
) -> None:
    moved = answered(b"", f"Location: {location}", status="301 Moved Permanently")
    server = raw_servers.start(moved, moved)
    with talk(server.url, credential) as api:
        with pytest.raises(BadAnswer, match=named):
            api.users()
        with pytest.raises(BadAnswer, match=named):
            api.create(BOT, "x", 3)
    assert len(server.heard) == 2


def test_cookies_are_neither_kept_nor_sent(raw_servers: RawServers, credential: Secret) -> None:
    cookie = answered(b"[]", "Set-Cookie: route=7; Path=/")
    server = raw_servers.start(cookie, cookie, cookie)
    with talk(server.url, credential) as api:
        for _ in range(3):
            api.users()
        assert list(api._reading._session.cookies) == []
    assert b"cookie" not in b"".join(server.heard).lower()


def test_netrc_adds_no_other_credential(
    raw_servers: RawServers, credential: Secret, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server = raw_servers.start(answered(b"[]"))
    with talk(server.url, credential) as api:
        api.users()
    assert b"Authorization: Token nbp_" in server.heard[0]
    assert b"Basic" not in server.heard[0]


def test_a_connection_is_kept(raw_servers: RawServers, credential: Secret) -> None:
    server = raw_servers.start(answered(b"[]"), answered(b"[]"), answered(b"null"))
    with talk(server.url, credential) as api:
        api.users()
        api.users()
        api.tokens(BOT)
    assert (len(server.heard), server.connections) == (3, 1)


def test_eight_threads_may_use_one_client(emulator: Emulator, api: HttpTokenApi) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda n: api.create(BOT, f"t{n}", 3), range(24)))
    assert len({each.secret.reveal() for each in made}) == 24
    assert {each.token.id for each in made} == {each.id for each in emulator.tokens(BOT)}


def test_a_crowd_of_threads_opens_no_more_connections_than_agreed(
    emulator: Emulator, credential: Secret
) -> None:
    emulator.issue(BOT, "x")
    with serve(emulator) as url, talk(url, credential) as api, ThreadPoolExecutor(24) as crowd:
        seen = set(crowd.map(lambda _: api.tokens(BOT)[0].id, range(120)))
        adapter = api._reading._session.get_adapter(f"{url}/api/users")
        pool = adapter.poolmanager.connection_from_url(url)
    assert len(seen) == 1
    assert pool.num_connections <= THREADS
