"""Fixtures of the API client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from raw_server import RawServers

from reconciler.core.secret import Secret
from reconciler.emulator import Emulator


@pytest.fixture
def raw_servers() -> Iterator[RawServers]:
    servers = RawServers()
    yield servers
    servers.stop()


@pytest.fixture
def credential() -> Secret:
    """The right shape and checksum; no server knows it."""
    emulator = Emulator()
    user = emulator.add_user("gitops", role="admin", service_user=True)
    return Secret(emulator.issue(user, "bootstrap"))


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
