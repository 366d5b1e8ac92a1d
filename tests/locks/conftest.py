"""Fixtures of the locks' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lock_server import LockServer


@pytest.fixture(params=["terraform", "gitlab"])
def server(request: pytest.FixtureRequest) -> Iterator[LockServer]:
    with LockServer(request.param).served() as served:
        yield served


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests must see the same environment in CI and on a desk."""
    for name in ("GITHUB_RUN_ID", "CI_JOB_URL", "CI_JOB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for prefix in ("NETBIRD_TOKENS_LOCK", "TF_HTTP"):
        monkeypatch.delenv(f"{prefix}_USERNAME", raising=False)
        monkeypatch.delenv(f"{prefix}_PASSWORD", raising=False)
