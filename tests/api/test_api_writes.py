"""Creating, revoking, proving: sent once, and never called done or undone without proof."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable

import pytest
from callers import BOT, CREATED, MINTED, WRITES, Time, talk
from raw_server import RawServers, answered

from reconciler.api import HttpTokenApi
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId
from reconciler.emulator import Action, Drop, Emulator, Fault, Hang, Html, Raw, Status, Truncate
from reconciler.errors import (
    ApiError,
    Forbidden,
    Gone,
    Rejected,
    Unauthenticated,
    Unavailable,
    Uncertain,
)


def posts(emulator: Emulator) -> int:
    return len([record for record in emulator.requests if record.method == "POST"])


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"garbage\r\n\r\n",
        answered(b"{"),
        answered(b"<html>", status="502 Bad Gateway"),
        answered(b"{}", status="408 Request Timeout"),
        answered(b"", status="204 No Content"),
    ],
)
def test_a_write_without_a_clear_answer_is_uncertain_and_sent_once(
    raw_servers: RawServers,
    credential: Secret,
    time: Time,
    answer: bytes | None,
    write: Callable[[HttpTokenApi], object],
) -> None:
    server = raw_servers.start(answer and answer + b"\nConnection: close")
    with talk(server.url, credential, time) as api, pytest.raises(Uncertain) as unsure:
        write(api)
    assert "again" in unsure.value.hint
    assert len(server.heard) == 1
    assert time.slept == []


@pytest.mark.parametrize(
    ("action", "when", "made"),
    [
        (Drop(), "before", 0), (Drop(), "after", 1), (Truncate(), "after", 1),
        (Status(500, "x"), "after", 1), (Html(502), "after", 1),
        (Raw(200, "application/json", b"{}"), "after", 1),
        (Raw(200, "application/json", b"null"), "after", 1),
    ],
)  # fmt: skip
def test_a_create_whose_answer_is_lost_may_have_made_a_token(
    emulator: Emulator, api: HttpTokenApi, action: Action, when: str, made: int
) -> None:
    emulator.faults.add(Fault(action, method="POST", when=when, times=None))  # type: ignore[arg-type]
    with pytest.raises(Uncertain) as unsure:
        api.create(BOT, "x", 3)
    assert posts(emulator) == 1
    assert len(emulator.tokens(BOT)) == made
    assert "nbp_" not in str(unsure.value) + repr(unsure.value.__context__)


def test_a_revoke_whose_answer_is_lost_is_gone_the_next_time(
    emulator: Emulator, api: HttpTokenApi
) -> None:
    minted = api.create(BOT, "x", 3)
    emulator.faults.add(Fault(Drop(), method="DELETE", when="after"))
    with pytest.raises(Uncertain):
        api.revoke(BOT, minted.token.id)
    assert emulator.tokens(BOT) == ()
    with pytest.raises(Gone):
        api.revoke(BOT, minted.token.id)


def test_silence_is_uncertain(
    emulator: Emulator, api: HttpTokenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.api.http.TIMEOUT", (1, 0.05))
    emulator.faults.add(Fault(Hang(0.15), times=None))
    for write in WRITES:
        with pytest.raises(Uncertain, match="no answer in time"):
            write(api)


def test_a_stale_connection_is_no_licence_to_send_twice(
    raw_servers: RawServers, credential: Secret
) -> None:
    server = raw_servers.start(answered(b"[]"), None, answered(json.dumps(CREATED).encode()))
    with talk(server.url, credential) as api:
        api.users()
        with pytest.raises(Uncertain):
            api.create(BOT, "x", 3)
    assert [line.split()[0] for line in server.first_lines] == ["GET", "POST"]


@pytest.mark.parametrize("write", WRITES)
def test_where_nothing_was_sent_nothing_was_done(
    credential: Secret, time: Time, write: Callable[[HttpTokenApi], object]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with talk(url, credential, time) as api, pytest.raises(Unavailable) as missed:
        write(api)
    assert "nothing was done" in missed.value.hint
    assert time.slept == []


@pytest.mark.parametrize(
    ("code", "error"), [(400, Rejected), (401, Unauthenticated), (403, Forbidden), (422, Rejected)]
)
def test_a_create_that_is_refused_made_nothing_and_is_not_sent_again(
    emulator: Emulator, api: HttpTokenApi, code: int, error: type[ApiError]
) -> None:
    emulator.faults.add(Fault(Status(code, "no"), method="POST", times=None))
    with pytest.raises(error) as refused:
        api.create(BOT, "x", 3)
    assert refused.value.hint
    assert posts(emulator) == 1
    assert emulator.tokens(BOT) == ()


def test_a_create_that_was_limited_is_sent_again(
    emulator: Emulator, api: HttpTokenApi, time: Time
) -> None:
    emulator.faults.add(Fault(Status(429, "too many requests"), method="POST", times=2))
    minted = api.create(BOT, "x", 3)
    assert emulator.authenticates(minted.secret.reveal()) == BOT
    assert len(emulator.tokens(BOT)) == 1
    assert time.slept == [0.5, 1.0]


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


def test_an_unknown_token_cannot_be_revoked(api: HttpTokenApi) -> None:
    with pytest.raises(Gone, match="pat: d1k2m3n4o5p6q7r8s9t0 not found"):
        api.revoke(BOT, TokenId("d1k2m3n4o5p6q7r8s9t0"))


# Proofs


def test_a_new_token_is_proved_until_it_is_revoked(api: HttpTokenApi) -> None:
    minted = api.create(BOT, "x", 3)
    assert api.authenticates(minted.secret)
    api.revoke(BOT, minted.token.id)
    assert not api.authenticates(minted.secret)


def test_what_is_no_token_is_not_sent_to_be_proved(emulator: Emulator, api: HttpTokenApi) -> None:
    assert not api.authenticates(Secret("nbp_short"))
    assert emulator.requests == []


def test_a_new_token_of_a_user_who_may_not_look_is_proved_all_the_same(
    emulator: Emulator, api: HttpTokenApi
) -> None:
    minted = api.create(BOT, "x", 3)
    emulator.faults.add(Fault(Status(403, "permission denied")))
    assert api.authenticates(minted.secret)
    emulator.faults.add(Fault(Status(503, "down"), times=None))
    with pytest.raises(Unavailable):  # neither yes nor no
        api.authenticates(minted.secret)
