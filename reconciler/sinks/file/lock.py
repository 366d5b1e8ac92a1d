"""Locks between runs that write the same files: `flock` on a file of its own, with a deadline.

The lock file is never removed: a lock on a file that has lost its name protects nothing. `flock`
belongs to the open file, so that it holds between threads of one process, too.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import Final

from reconciler.sinks.file.safe_fs import Folder
from reconciler.sinks.file.trust import Unsafe

PATIENCE: Final = 30.0
"""Seconds that a writer waits for another. Whoever still waits then has written nothing and is
refused, far below the five minutes after a POST in which writes may start (sinks.md §7.2)."""

_PAUSE: Final = 0.01
_TURNS: Final[defaultdict[tuple[int, int], Lock]] = defaultdict(Lock)
"""Of each lock file: threads of one process take turns, for those that poll would mostly sleep."""


@contextmanager
def writing(folder: Folder, name: str, patience: float) -> Iterator[None]:
    """Nobody else reads or writes meanwhile. Raises OSError, Unsafe after `patience` seconds."""
    with _locked(folder, name, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX, patience):
        yield


@contextmanager
def still(folder: Folder, name: str, patience: float) -> Iterator[None]:
    """Nobody writes meanwhile; without a lock file nobody ever wrote. Raises as `writing` does."""
    with ExitStack() as stack:
        with suppress(FileNotFoundError):
            stack.enter_context(_locked(folder, name, os.O_RDONLY, fcntl.LOCK_SH, patience))
        yield


def check_lock(folder: Folder, name: str) -> None:
    """Prove that `writing` could lock, without waiting. Raises OSError."""
    try:
        os.close(folder.open(name, os.O_RDWR))
    except FileNotFoundError:
        folder.probe(name, size=0)


@contextmanager
def _locked(folder: Folder, name: str, flags: int, kind: int, patience: float) -> Iterator[None]:
    fd = folder.open(name, flags)
    file = os.fstat(fd)
    turn, is_ours = _TURNS[file.st_dev, file.st_ino], False
    deadline = time.monotonic() + patience
    try:
        is_ours = turn.acquire(timeout=patience)
        while not (is_ours and _taken(fd, kind)):
            if time.monotonic() >= deadline:
                where = folder.path / name
                raise Unsafe(f"another process holds {where}", "wait for it, or find and end it")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(fd)  # before the next thread's turn, or it would find the file locked
        if is_ours:
            turn.release()


def _taken(fd: int, kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
        return True
    return False
