"""Locks: they save two runs from doing the same work. Correctness does not rest on them.

A new type is one class with the three methods of `port.Lock`, one line in `LOCK_TYPES`, and one
definition `<type>_lock` in the config's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from reconciler.locks.file import file_lock
from reconciler.locks.hold import Hold
from reconciler.locks.holder import Holder, this_run
from reconciler.locks.http import http_lock
from reconciler.locks.kubernetes import kubernetes_lock
from reconciler.locks.port import Lock
from reconciler.surroundings import Surroundings

__all__ = ["LOCK_TYPES", "Hold", "Holder", "Lock", "Surroundings", "this_run"]

LOCK_TYPES: Final[Mapping[str, Callable[[Mapping[str, object], Surroundings], Lock]]] = {
    "file": file_lock,
    "http": http_lock,
    "kubernetes": kubernetes_lock,
}
"""Type to a lock from its options. Making one sends nothing; it raises UsageError or LockDenied."""
