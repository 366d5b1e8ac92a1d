"""What adapters are built from besides their own options; `wiring` fills it in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER")
"""A child sees these and no more: no credential of ours is ever in its environment."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a run takes place.

    Attributes:
        base: The folder that relative paths count from.
        env: The environment; credentials are taken from it, never from the config.
        allow_http: Whether an operator accepts plain http beyond this machine.
    """

    base: Path
    env: Mapping[str, str]
    allow_http: bool

    def for_child(self, more: Collection[str] = ()) -> dict[str, str]:
        """The environment of a program that we run; `more` are names that the config lists."""
        return {name: self.env[name] for name in (*INHERITED, *more) if name in self.env}
