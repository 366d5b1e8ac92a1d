"""Fixtures of the API client's tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from callers import BOT, Time, talk
from raw_server import RawServers

from reconciler.api import HttpTokenApi
from reconciler.core.secret import Secret
from reconciler.emulator import Clock, Emulator, serve


@pytest.fixture
def raw_servers() -> Iterator[RawServers]:
    servers = RawServers()
    yield servers
    servers.stop()


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
    """The emulator knows it; a raw server takes anything."""
    return Secret(emulator.issue("us", "bootstrap"))


@pytest.fixture
def api(emulator: Emulator, credential: Secret, time: Time) -> Iterator[HttpTokenApi]:
    with serve(emulator) as url, talk(url, credential, time) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
