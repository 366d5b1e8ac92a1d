"""A lock on a file of this machine (flock). It falls with the process that holds it.

The file says who holds it; that is for people. What counts is the kernel's word.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from reconciler.errors import LockHeld, UsageError
from reconciler.locks.holder import Holder, held_by, holder_of
from reconciler.surroundings import Surroundings

_MOST_FACTS: Final = 16 * 1024
_FALLS: Final = "this lock falls with the process that holds it, so nothing needs to be unlocked"


def build(options: Mapping[str, object], around: Surroundings) -> FileLock:
    """From the options `path`."""
    return FileLock(around.base / str(options["path"]))


class FileLock:
    """An flock on one file, which stays when the lock is given back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def take(self, me: Holder) -> None:
        """Take it now. Raises LockHeld, or UsageError if the file cannot be made or locked."""
        self._fd = self._locked()
        facts = json.dumps(me.document()).encode()
        with suppress(OSError):  # a full disk does not loosen the lock, it only makes it anonymous
            os.pwrite(self._fd, facts, 0)

    def give_back(self) -> None:
        """Give it back, and forget who held it."""
        fd, self._fd = self._fd, None
        if fd is not None:
            _forget(fd)
            os.close(fd)

    def unlock(self, lock_id: str, me: Holder, confirm: Callable[[str], None]) -> str:  # noqa: ARG002 - the port's; here nothing needs an id, a name or a question
        """Say who holds it, and why there is nothing to do."""
        try:
            os.close(self._locked())
        except LockHeld as held:
            return f"{held.message}; {_FALLS}"
        return f"nobody holds the lock {self._path}; {_FALLS}"

    def _locked(self) -> int:
        """The locked file, without the facts of a holder that died."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _facts(fd)
            os.close(fd)
            raise held_by(str(self._path), holder, outlives=False) from None
        except OSError as error:
            os.close(fd)
            raise self._unusable(error) from None
        _forget(fd)
        return fd

    def _unusable(self, error: OSError) -> UsageError:
        text = f"lock file {self._path}: {error.strerror}"
        return UsageError(text, hint="check `lock` in the config")


def _facts(fd: int) -> Holder:
    """Who holds it, as far as the file says so at this moment."""
    try:
        return holder_of(json.loads(os.pread(fd, _MOST_FACTS, 0)))
    except (OSError, ValueError, RecursionError):
        return Holder("")


def _forget(fd: int) -> None:
    with suppress(OSError):  # see take
        os.ftruncate(fd, 0)
