"""No secret, and nothing that could hurt a reader, comes out: in errors, logs, reprs, whatever came in."""

from __future__ import annotations

import logging
import random
import traceback

import pytest
from callers import BOT, MINTED, talk
from raw_server import RawServers, answered

from reconciler.api import HttpTokenApi
from reconciler.core.secret import Secret
from reconciler.emulator import Emulator, Fault, Status
from reconciler.errors import ApiError, Rejected, Uncertain
from reconciler.http import Json, Text, printable


def test_no_secret_is_seen_from_outside(
    api: HttpTokenApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    minted = api.create(BOT, "x", 3)
    session = api._reading._session
    seen = f"{minted!r} {vars(api)!r} {session.headers!r} {session.auth!r} {caplog.text}"
    assert "nbp_" not in seen
    assert "POST /api/users" in caplog.text  # urllib3 does log


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
    with talk(server.url, credential, deadline=0) as api:
        for _ in range(15):
            noise = bytearray(good)
            for _ in range(chance.randint(1, 12)):
                noise[chance.randrange(len(noise))] = chance.randrange(256)
            server.says = [bytes(noise[: chance.randint(1, len(noise))]) + b"\nConnection: close"]
            with pytest.raises(ApiError) as failed:
                api.create(BOT, "x", 3)
            assert secret[4:12] not in "".join(traceback.format_exception(failed.value))
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
    with talk(server.url, credential) as api, pytest.raises(Uncertain):
        api.create(BOT, "x", 3)
    assert "nbp_" not in caplog.text


def test_foreign_text_in_errors_is_tamed(emulator: Emulator, api: HttpTokenApi) -> None:
    message = f"no {MINTED} \x1b[31m\u202e" + "x" * 5000
    emulator.faults.add(Fault(Status(422, message)))
    with pytest.raises(Rejected) as refused:
        api.users()
    assert MINTED not in refused.value.message
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\n\tlines", "two lines"),
        ("\x1b[31mred\u202e", "\\x1b[31mred\\u202e"),
        (f"<{MINTED}>", "<nbp_***>"),
        ("x" * 500, "x" * 159 + "…"),
    ],
)
def test_foreign_text_is_made_fit_to_print(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_token_across_the_cap_is_not_half_shown() -> None:
    assert "nbp_m" not in printable("x" * 140 + " " + MINTED)


def test_what_holds_a_secret_does_not_show_it() -> None:
    assert "nbp_" not in repr(Json({"plain_token": MINTED})) + repr(Text(MINTED))
