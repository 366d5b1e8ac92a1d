"""What adapters are built from besides their own options; `wiring` fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
