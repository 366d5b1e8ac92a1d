"""What is wrong in a file and where, and how that is shown: one line, a snippet with a caret, a fix.

The shape is that of plan-apply.md §5.1. A problem can hold no token (DESIGN §8): message and fix
are blacked out when it is made, and the lines of a file when the file is read (`text.Source`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from reconciler.core.secret import hide_tokens
from reconciler.core.spec import Location

_WIDEST: Final = 100
_BEFORE: Final = 40
_LONGEST_VALUE: Final = 60
_JOINER: Final = "\u200d"  # inside emoji


class Severity(StrEnum):
    """Whether the file can be used all the same."""

    ERROR = "error"
    WARNING = "warning"


class Span(NamedTuple):
    """A stretch of one line; line and column count from 1. A width of 0 reaches to the line's end."""

    line: int
    column: int
    width: int = 1


START: Final = Span(1, 1)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file; nothing in it can steer a terminal.

    Attributes:
        code: One of `codes.CODES`.
        message: One sentence without a full stop.
        fix: What to do about it; empty when the message already says it.
        line: The line of the file that `where` points into; empty if there is none to show.
        width: How many characters of it are meant.
    """

    code: str
    where: Location
    message: str
    fix: str = ""
    severity: Severity = Severity.ERROR
    line: str = ""
    width: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _printable(hide_tokens(self.message)))
        object.__setattr__(self, "fix", _printable(hide_tokens(self.fix)))

    @property
    def headline(self) -> str:
        """The first line of the rendering: place, severity, code, message."""
        place = f"{_printable(self.where.file)}:{self.where.line}:{self.where.column}"
        return f"{place}  {self.severity} {self.code} {self.message}"

    def __str__(self) -> str:
        more = f"more: netbird-tokens explain {self.code}"
        last = f"   fix: {self.fix}   {more}" if self.fix else f"   {more}"
        return "\n".join([self.headline, *self._snippet(), last])

    def _snippet(self) -> list[str]:
        if not self.line.strip():
            return []
        before, marked, after = _window(self.line, self.where.column - 1, self.width)
        number = f"{self.where.line:>5}"
        carets = "^" * max(1, _columns(marked))
        return [
            f"{number} | {before}{marked}{after}".rstrip(),
            f"{' ' * len(number)} | {' ' * _columns(before)}{carets}",
        ]


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, in the order of the files."""
    return tuple(
        sorted(set(problems), key=lambda problem: (problem.where, problem.code, problem.message))
    )


def quoted(text: str) -> str:
    """Text as it is shown in a message: in quotes, on one line, not too long, no secret."""
    plain = hide_tokens(text)
    if len(plain) > _LONGEST_VALUE:
        plain = plain[: _LONGEST_VALUE - 1] + "…"
    return "".join(map(_visible, json.dumps(plain, ensure_ascii=False)))


def _window(line: str, start: int, width: int) -> tuple[str, str, str]:
    """The part of a line worth showing: before, at and after the place that is meant."""
    end = start + width if width else len(line)
    left = max(0, start - _BEFORE) if len(line) > _WIDEST else 0
    right = left + _WIDEST
    before = ("…" if left else "") + line[left:start]
    after = line[end:right] + ("…" if len(line) > right else "")
    return _printable(before), _printable(line[start : min(end, right)]), _printable(after)


def _printable(text: str) -> str:
    """The text with nothing in it that could move the cursor or recolour the terminal."""
    return "".join(map(_visible, text.replace("\t", "→")))


def _visible(char: str) -> str:
    return char if char.isprintable() or char == _JOINER else "�"


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes: emoji and CJK take two, accents none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
