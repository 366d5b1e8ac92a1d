"""Walks and histories run the same lines millions of times: coverage need not look on."""

from __future__ import annotations

from collections.abc import Iterator

import coverage
import pytest


@pytest.fixture(autouse=True)
def _unwatched() -> Iterator[None]:
    """Two to three times as fast; what is covered here is covered by other tests, too."""
    watching = coverage.Coverage.current()
    if watching is None:
        yield
        return
    watching.stop()
    yield
    watching.start()
