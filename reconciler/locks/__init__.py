"""Locks: they save two runs from doing the same work. Correctness does not rest on them.

A new type is one class with the three methods of `port.Lock`, one line in `LOCK_TYPES`, and one
definition `<type>_lock` in the config's schema. Its module is imported only when a config uses it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Final

from reconciler.locks.hold import Hold
from reconciler.locks.holder import Holder, this_run
from reconciler.locks.port import Lock
from reconciler.surroundings import Surroundings

__all__ = ["LOCK_TYPES", "Hold", "Holder", "Lock", "Surroundings", "lock_of", "this_run"]

LOCK_TYPES: Final[Mapping[str, str]] = {
    "file": "reconciler.locks.file",
    "http": "reconciler.locks.http",
    "kubernetes": "reconciler.locks.kubernetes",
}
"""Type to the module that has its `build`."""


def lock_of(kind: str, options: Mapping[str, object], around: Surroundings) -> Lock:
    """A lock of this type. Making one sends nothing.

    Raises:
        UsageError: The options lead nowhere.
        LockDenied: What it signs in with is not there.
    """
    build: Callable[[Mapping[str, object], Surroundings], Lock]
    build = importlib.import_module(LOCK_TYPES[kind]).build
    return build(options, around)
