"""Walks and histories run the same lines millions of times: coverage need not look on, and no thread decides
what comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import coverage
import pytest

from reconciler import engine, gather


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


class InTurn(Executor):
    """One thing after the other, in the order in which the product asks for them."""

    def __init__(self, width: int) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args))
        except BaseException as error:  # noqa: BLE001 - kept for whoever asks, as a thread keeps it
            future.set_exception(error)
        return future


@pytest.fixture(autouse=True)
def one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gather, engine):
        monkeypatch.setattr(module, "ThreadPoolExecutor", InTurn)
