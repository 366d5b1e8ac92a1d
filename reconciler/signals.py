"""Ctrl-C, SIGTERM and a closed terminal. While work is in flight, the first lets it finish, the second
leaves at once; before and after that, the first gives back what is held and unwinds. A signal that our
parent told us to ignore (`nohup`, a job in the background) stays ignored.

Programs that we run live in sessions of their own, and would outlive us. So they are ended first: what
they may still write is written before another run can hold the lock.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from types import FrameType, TracebackType
from typing import Final, Self

from reconciler.child import allow, end_all
from reconciler.errors import ExitCode

_CODES: Final = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.TERMINATED,  # the contract of exit codes has none of its own
}
_STDERR: Final = 2
_HEALS: Final = "Run the same command again: it heals what is left."


class Interrupts(AbstractContextManager["Interrupts"]):
    """Catches both signals while it is entered. A third, which comes while what is held is being given
    back, waits for that; the next one does not.

    Attributes:
        in_flight: Names what a second signal would cut off.
        let_go: Gives back what is held, before a second signal leaves; says what went wrong with that.
        code: The exit code of the first signal; None while there was none.
    """

    def __init__(self, in_flight: Callable[[], tuple[str, ...]], let_go: Callable[[], str]) -> None:
        self.in_flight = in_flight
        self.let_go = let_go
        self.code: ExitCode | None = None
        self._leaves = self._waited = False
        self._before: dict[int, object] = {}

    def stopped(self) -> bool:
        return self.code is not None

    def __enter__(self) -> Self:
        for number in _heeded():
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _restore(self._before)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        code = _CODES[signal.Signals(number)]
        if self.code is None:
            self.code = code
            _say("\ninterrupted: finishing what is in flight; once more to leave at once")
            return
        if self._leaves and not self._waited:
            self._waited = True
            return
        self._leaves = True
        try:
            cut = ", ".join(self.in_flight()) or "nothing"
            _say(f"\nleft at once; cut off: {cut}. {_HEALS}")
            end_all()
            _say(self.let_go())
        finally:
            os._exit(code)


class Leaving(AbstractContextManager["Leaving"]):
    """Gives something back once, whichever way the block is left: its end, an error, a signal.

    A signal gives back first and unwinds then, since unwinding may wait for threads longer than CI
    grants us. One that comes while it is being given back waits for that; the next one does not.

    Args:
        give_back: Gives it back; says what went wrong with that, else is empty.
        say: Tells people.
    """

    def __init__(self, give_back: Callable[[], str], say: Callable[[str], None]) -> None:
        self._give_back = give_back
        self._tell = say
        self._armed = self._begun = self._waited = False
        self._before: dict[int, object] = {}

    def arm(self) -> None:
        """From now on there is something to give back, and nobody is busy with it."""
        self._armed = True

    def let_go(self) -> str:
        """Give it back now, unless that was begun before."""
        if self._begun:
            return ""
        self._begun = True
        return self._give_back()

    def __enter__(self) -> Self:
        for number in _heeded():
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            trouble = self.let_go()
        finally:
            _restore(self._before)
        if trouble:
            self._tell(trouble)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self._begun and not self._waited:
            self._waited = True
            return
        try:
            end_all()
            if self._armed:
                _say(self.let_go())
        finally:
            allow()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        _say("terminated")
        raise SystemExit(_CODES[signal.SIGTERM])


def _heeded() -> list[signal.Signals]:
    return [number for number in _CODES if signal.getsignal(number) is not signal.SIG_IGN]


def _restore(before: Mapping[int, object]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave us


def _say(text: str) -> None:
    """Straight to the descriptor: a signal handler must not wait for a buffer's lock."""
    if text:
        with suppress(OSError):  # the terminal may be what was closed
            os.write(_STDERR, f"{text}\n".encode())
