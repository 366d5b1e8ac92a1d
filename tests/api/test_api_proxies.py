"""Proxies on the way to the server: when one is used, and what is known when it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from callers import WRITES, talk
from raw_server import RawServer, RawServers, answered

from reconciler.api import HttpTokenApi
from reconciler.core.secret import Secret
from reconciler.errors import Unavailable, Uncertain


@contextmanager
def proxied(
    proxy: RawServer, monkeypatch: pytest.MonkeyPatch, credential: Secret, url: str
) -> Iterator[HttpTokenApi]:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    with talk(url, credential, allow_http=True) as api:
        yield api


def test_a_proxy_is_used_beyond_this_machine(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = raw_servers.start(answered(b"[]"))
    with proxied(proxy, monkeypatch, credential, "http://nb.example") as api:
        assert api.users() == ()
    assert proxy.first_lines == ["GET http://nb.example/api/users HTTP/1.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_on_this_machine_is_reached_without_one(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    proxy, server = raw_servers.start(), raw_servers.start(answered(b"[]"))
    here = server.url.replace("127.0.0.1", host)
    with proxied(proxy, monkeypatch, credential, here) as api:
        assert api.users() == ()
    assert proxy.heard == []


def test_no_proxy_names_servers_that_are_reached_without_one(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = raw_servers.start()
    monkeypatch.setenv("no_proxy", "nb.invalid")
    with (
        proxied(proxy, monkeypatch, credential, "http://nb.invalid") as api,
        pytest.raises(Unavailable),
    ):
        api.users()
    assert proxy.heard == []


@pytest.mark.parametrize("write", WRITES)
def test_a_proxy_that_refuses_the_tunnel_sees_no_credential(
    raw_servers: RawServers,
    credential: Secret,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[HttpTokenApi], object],
) -> None:
    proxy = raw_servers.start(answered(b"", status="403 Forbidden"))
    with (
        proxied(proxy, monkeypatch, credential, "https://nb.example") as api,
        pytest.raises(Unavailable, match="Tunnel") as refused,
    ):
        write(api)
    assert "nothing was done" in refused.value.hint
    (asked,) = proxy.first_lines
    assert asked.startswith("CONNECT nb.example:443 ")
    assert b"nbp_" not in proxy.heard[0]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_went_through_a_proxy_and_got_no_answer_is_uncertain(
    raw_servers: RawServers,
    credential: Secret,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[HttpTokenApi], object],
) -> None:
    # requests calls this a ProxyError, the same as for a proxy that was never reached.
    proxy = raw_servers.start(None)
    with (
        proxied(proxy, monkeypatch, credential, "http://nb.example") as api,
        pytest.raises(Uncertain),
    ):
        write(api)
    assert len(proxy.heard) == 1


@pytest.mark.parametrize("url", ["http://nb.example", "https://nb.example"])
@pytest.mark.parametrize("write", WRITES)
def test_where_the_proxy_was_not_reached_nothing_was_done(
    credential: Secret,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    write: Callable[[HttpTokenApi], object],
) -> None:
    nobody = RawServer([], url="http://someone:hunter2@127.0.0.1:1")
    with proxied(nobody, monkeypatch, credential, url) as api, pytest.raises(Unavailable) as missed:
        write(api)
    assert "hunter2" not in str(missed.value)
    assert "proxy" in missed.value.hint
