"""Locks: they save two runs from doing the same work. Correctness does not rest on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from reconciler.locks.file import file_lock

LOCK_TYPES: Final[
    Mapping[str, Callable[[Mapping[str, object], Path, float], AbstractContextManager[object]]]
] = {"file": file_lock}
"""Type to a lock from options, base folder and how many seconds to wait."""
