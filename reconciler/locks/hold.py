"""One run's hold on a lock: taken with patience, given back with a word if that fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from reconciler.errors import LockError, LockHeld
from reconciler.locks.holder import Holder
from reconciler.locks.port import Lock

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Hold:
    """A lock between one run and the others.

    Args:
        me: Describes this run; asked anew for each try, so that `since` is true.
        say: Tells people something about the run.
    """

    def __init__(self, lock: Lock, me: Callable[[], Holder], say: Callable[[str], None]) -> None:
        self._lock = lock
        self._me = me
        self._say = say

    def take(self, patience: float) -> None:
        """Take the lock, waiting so many seconds for another run. Raises LockError."""
        deadline = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while (held := self._try()) is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise held
            if pause == _FIRST_PAUSE:
                self._say(f"{held.message}; waiting up to {patience:g} seconds")
            time.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _try(self) -> LockHeld | None:
        try:
            self._lock.take(self._me())
        except LockHeld as held:
            return held
        return None

    def give_back(self) -> str:
        """Give it back; what people must know if that failed, else empty.

        What the run did is done, and stays so: a lock that stays behind is no failure of it.
        """
        try:
            self._lock.give_back()
        except LockError as error:
            return f"WARNING: {error.message}\n  what this run did is not affected; {error.hint}"
        return ""
