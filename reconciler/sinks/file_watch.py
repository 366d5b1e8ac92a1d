"""How long a write may take. By then a run that sees a fresh token in no receipt may revoke it, so a
process that was stopped, or a machine that slept, must not go on where it was (PROTOCOL.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

LONGEST: Final = 300.0
"""Seconds; with the five minutes after the POST before it, well below the grace."""


@dataclass
class Watch:
    """Runs from when it is made."""

    clock: Callable[[], float]
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def check(self) -> None:
        """Raises OSError if the time is up."""
        if self.clock() - self.began > LONGEST:
            raise OSError(f"it took longer than {LONGEST:.0f} s, so it was given up")
