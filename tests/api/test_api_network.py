"""Between us and the server: proxies, certificates, silence, noise. Sent or not sent must be right."""

from __future__ import annotations

import random
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from raw_server import RawServer, RawServers, answered

from reconciler.api import Endpoint, HttpTokenApi, writer
from reconciler.api.http import THREADS
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, UserId
from reconciler.emulator import Emulator, Fault, Hang, serve
from reconciler.errors import ApiError, BadAnswer, Unavailable, Uncertain

BOT = UserId("bot")
WRITES: tuple[Callable[[HttpTokenApi], object], ...] = (
    lambda api: api.create(BOT, "x", 3),
    lambda api: api.revoke(BOT, TokenId("t1")),
)


@contextmanager
def client(url: str, credential: Secret, *, allow_http: bool = False) -> Iterator[HttpTokenApi]:
    endpoint = Endpoint(url, credential, allow_http=allow_http)
    with writer(endpoint, sleep=lambda _: None, random=lambda: 0.0) as api:
        yield api


@contextmanager
def proxied(
    proxy: RawServer, monkeypatch: pytest.MonkeyPatch, credential: Secret, url: str
) -> Iterator[HttpTokenApi]:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("https_proxy", proxy.url)
    with client(url, credential, allow_http=True) as api:
        yield api


def test_a_proxy_is_used_beyond_this_machine(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = raw_servers.start(answered(b"[]"))
    with proxied(proxy, monkeypatch, credential, "http://nb.example") as api:
        assert api.users() == ()
    assert proxy.first_lines == ["GET http://nb.example/api/users HTTP/1.1"]


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


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS with a certificate of its own making, and that certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl makes the certificate of this test")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}",
            "-keyout", key, "-out", cert,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


def test_a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent(
    raw_servers: RawServers, credential: Secret, tmp_path: Path
) -> None:
    context, _ = certificate(tmp_path, "IP:127.0.0.1")
    server = raw_servers.start(answered(b"[]"), tls=context)
    with client(server.url, credential) as api:
        with pytest.raises(Unavailable, match="certificate") as refused:
            api.users()
        for write in WRITES:
            with pytest.raises(Unavailable):
                write(api)
    assert "REQUESTS_CA_BUNDLE" in refused.value.hint
    assert server.heard == []


@pytest.mark.parametrize(("name", "trusted"), [("IP:127.0.0.1", True), ("DNS:elsewhere", False)])
def test_a_private_ca_is_named_by_the_environment(
    raw_servers: RawServers,
    credential: Secret,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    trusted: bool,
) -> None:
    context, cert = certificate(tmp_path, name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    server = raw_servers.start(answered(b"[]"), tls=context)
    with client(server.url, credential) as api:
        if trusted:
            assert api.users() == ()
        else:
            with pytest.raises(Unavailable):
                api.users()


def test_silence_is_uncertain_for_a_write_and_unavailable_for_a_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.api.http.TIMEOUT", (1, 0.05))
    emulator = Emulator()
    us = emulator.add_user("gitops", role="admin", service_user=True)
    credential = Secret(emulator.issue(us, "bootstrap"))
    emulator.faults.add(Fault(Hang(0.15), times=None))
    with serve(emulator) as url, client(url, credential) as api:
        for write in WRITES:
            with pytest.raises(Uncertain, match="no answer in time"):
                write(api)
        with pytest.raises(Unavailable, match="no answer in time"):
            api.users()


def test_cookies_are_neither_kept_nor_sent(raw_servers: RawServers, credential: Secret) -> None:
    cookie = answered(b"[]", "Set-Cookie: route=7; Path=/")
    server = raw_servers.start(cookie, cookie, cookie)
    with client(server.url, credential) as api:
        for _ in range(3):
            api.users()
        assert list(api._reading._session.cookies) == []
    assert b"route=7" not in b"".join(server.heard)


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
    with client(server.url, credential) as api:
        assert api.server_time().second == 1
        api.users()
        assert api.server_time().second == 1
    assert len(server.heard) == 3


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
    with client(server.url, credential) as api:
        with pytest.raises(BadAnswer, match=named):
            api.users()
        with pytest.raises(BadAnswer, match=named):
            api.create(BOT, "x", 3)
    assert len(server.heard) == 2


def test_a_redirect_with_a_body_without_end_is_cut(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.api.http.MAX_BODY", 1024)
    moved = answered(b" " * 200_000, "Location: https://evil.example", status="302 Found")
    server = raw_servers.start(moved)
    with client(server.url, credential) as api, pytest.raises(BadAnswer, match="larger than"):
        api.users()


def test_a_small_answer_cannot_unpack_into_a_large_one(
    raw_servers: RawServers, credential: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip  # noqa: PLC0415 - for this bomb only

    monkeypatch.setattr("reconciler.api.http.MAX_BODY", 100_000)
    bomb = answered(gzip.compress(b" " * 5_000_000), "Content-Encoding: gzip")
    server = raw_servers.start(bomb)
    with client(server.url, credential) as api, pytest.raises(BadAnswer, match="larger than"):
        api.users()


def test_a_plain_server_at_an_https_address_is_said(
    raw_servers: RawServers, credential: Secret
) -> None:
    server = raw_servers.start()
    server.greeting = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    with (
        client(server.url.replace("http:", "https:"), credential) as api,
        pytest.raises(Unavailable, match=r"(?i)ssl"),
    ):
        api.users()


def test_a_crowd_of_threads_opens_no_more_connections_than_agreed(credential: Secret) -> None:
    emulator = Emulator()
    us = emulator.add_user("gitops", role="admin", service_user=True)
    credential = Secret(emulator.issue(us, "bootstrap"))
    with serve(emulator) as url, client(url, credential) as api, ThreadPoolExecutor(24) as crowd:
        seen = list(crowd.map(lambda _: api.tokens(UserId(us)), range(120)))
        adapter = api._reading._session.get_adapter(f"{url}/api/users")
        pool = adapter.poolmanager.connection_from_url(url)
    assert all(tokens == seen[0] or tokens[0].id == seen[0][0].id for tokens in seen)
    assert pool.num_connections <= THREADS


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_an_error_of_ours_and_after_a_create_shows_nothing_of_the_secret(
    raw_servers: RawServers,
    credential: Secret,
    seed: int,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chance = random.Random(seed)  # noqa: S311 - noise, not secrecy
    secret = credential.reveal()
    body = f'{{"plain_token":"{secret}","personal_access_token":{{"id":"t"}}}}\n'.encode()
    good = answered(body, "Content-Encoding: identity", "Connection: close")
    server = raw_servers.start()
    caplog.set_level("DEBUG")
    with client(server.url, credential) as api:
        for _ in range(15):
            noise = bytearray(good)
            for _ in range(chance.randint(1, 12)):
                noise[chance.randrange(len(noise))] = chance.randrange(256)
            server.says = [bytes(noise[: chance.randint(1, len(noise))]) + b"\nConnection: close"]
            with pytest.raises(ApiError) as failed:
                api.create(BOT, "x", 3)
            shown = failed.getrepr(style="short", chain=True)
            assert secret[4:12] not in f"{failed.value!r} {shown}"
            server.says = [bytes(noise) + b"\nConnection: close"]
            with pytest.raises(ApiError):
                api.users()
    assert secret[4:12] not in caplog.text + capfd.readouterr().err


def test_a_body_that_slipped_into_the_headers_is_not_logged(
    raw_servers: RawServers, credential: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    lines = f"HTTP/1.1 200 OK\r\nno header\r\n{{{credential.reveal()}}}\nConnection: close\r\n\r\n"
    server = raw_servers.start(lines.encode())
    with client(server.url, credential) as api, pytest.raises(Uncertain):
        api.create(BOT, "x", 3)
    assert "nbp_" not in caplog.text
