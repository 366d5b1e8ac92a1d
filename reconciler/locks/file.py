"""A lock on a file of this machine (flock). It falls with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.errors import LockHeld, UsageError

_PAUSE: Final = 0.1


@contextmanager
def file_lock(options: Mapping[str, object], base: Path, patience: float) -> Iterator[None]:
    """Hold the lock, waiting so many seconds for another run.

    Raises:
        LockHeld: Another run holds it.
        UsageError: The lock file cannot be made.
    """
    path = base / str(options["path"])
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"lock file {path}: {error.strerror}", hint="check `lock` in the config"
        ) from None
    try:
        _take(fd, path, time.monotonic() + patience)
        yield
    finally:
        os.close(fd)


def _take(fd: int, path: Path, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeld(
                    f"another run holds the lock {path}",
                    hint="wait for it to end, or give it time with --lock-timeout SECONDS",
                ) from None
            time.sleep(_PAUSE)
