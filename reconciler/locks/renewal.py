"""Keeps a lock that expires from expiring under a run that is at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Final

from reconciler.errors import LockError

_SHARE: Final = 4
"""So many times within its time a lock is renewed: three of them may fail."""


class Renewal:
    """Renews from a thread of its own, until it is told to stop or the lock is not ours any more.

    Args:
        renew: Renews it; whether it was still ours. After a LockError it is asked again.
        lasts: How long one renewal holds.
    """

    def __init__(self, renew: Callable[[], bool], lasts: timedelta) -> None:
        self._renew = renew
        self._pause = lasts.total_seconds() / _SHARE
        self._stopped = Event()
        Thread(target=self._run, name="lock", daemon=True).start()

    def stop(self) -> None:
        """Begin no further one. One that is on its way is not waited for: the caller may be a signal."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause):
            try:
                if not self._renew():
                    return
            except LockError:
                continue
