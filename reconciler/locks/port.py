"""What a lock must be able to do: three methods, for runs of one machine or of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from reconciler.locks.holder import Holder


class Lock(Protocol):
    """One lock. An object of it serves one run."""

    def take(self, me: Holder) -> None:
        """Take it now, for this run.

        Raises:
            LockHeld: Another run has it.
            LockError: Any other: it could not be asked, and is not held as far as we can tell.
        """
        ...

    def give_back(self) -> None:
        """Give back what `take` took, or may have taken when it was cut short; else do nothing.

        Raises:
            LockError: It may still be held in our name.
        """
        ...

    def unlock(self, lock_id: str, me: Holder, confirm: Callable[[str], None]) -> str:
        """Free what a run that is gone left behind; what came of it, in words.

        Args:
            lock_id: The id of that run's hold. Under any other id nothing is freed.
            me: Who asks.
            confirm: Puts a question; raises where the answer is no.

        Raises:
            LockHeld: It is held under another id.
            LockError: Any other: nothing is known to have been freed.
        """
        ...
