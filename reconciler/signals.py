"""Ctrl-C and SIGTERM: the first lets what is in flight finish, the second leaves at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Self

from reconciler.errors import ExitCode

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class Interrupts(AbstractContextManager["Interrupts"]):
    """Catches both signals while it is entered.

    Attributes:
        in_flight: Names what a second signal would cut off.
        code: The exit code of the first signal; None while there was none.
    """

    def __init__(self, in_flight: Callable[[], tuple[str, ...]]) -> None:
        self.in_flight = in_flight
        self.code: ExitCode | None = None
        self._before: dict[int, object] = {}

    def stopped(self) -> bool:
        return self.code is not None

    def __enter__(self) -> Self:
        for number in _CODES:
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave us

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        code = _CODES[signal.Signals(number)]
        if self.code is None:
            self.code = code
            _say("\ninterrupted: finishing what is in flight; once more to leave at once")
            return
        cut = ", ".join(self.in_flight()) or "nothing"
        _say(f"\nleft at once; cut off: {cut}. Run the same command again: it heals what is left.")
        os._exit(code)


def _say(text: str) -> None:
    """Straight to the descriptor: a signal handler must not wait for a buffer's lock."""
    os.write(sys.stderr.fileno(), f"{text}\n".encode())
