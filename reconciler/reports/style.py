"""What an output can show and how much it shall show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self


class Detail(Enum):
    """How much of a plan to show."""

    BRIEF = "brief"
    """Everything but tokens that are in order; unmanaged ones that are many in one line."""
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Style:
    """What the output can show.

    Attributes:
        width: Columns of the terminal; None: not a terminal, so tables need not be broken.
    """

    colour: bool = False
    detail: Detail = Detail.BRIEF
    width: int | None = None

    def paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text

    def plain(self) -> Self:
        """The same for a file."""
        return replace(self, colour=False, width=None)
