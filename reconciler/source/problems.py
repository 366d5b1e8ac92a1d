"""What is wrong in a file and where, and how that is shown: one line, a snippet with a caret, a fix.

The shape is that of plan-apply.md §5.1. A problem can hold no token (DESIGN §8): message and fix
are blacked out when it is made, and the lines of a file when the file is read (`text.Source`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby
from typing import Final, NamedTuple

from reconciler.core.secret import hide_tokens
from reconciler.core.spec import Location
from reconciler.errors import Shown
from reconciler.source.guess import Guess, closest

MOST_SHOWN: Final = 50
"""Of one file; who has more to mend than this mends the first ones and looks again."""
_WIDEST: Final = 100
_BEFORE: Final = 40
_LONGEST_VALUE: Final = 60
_LOOKED_AT: Final = 4 * _LONGEST_VALUE  # so that a token that is cut off here still tells itself
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
        guess: What may have been meant; it is looked for when the problem is shown.
    """

    code: str
    where: Location
    message: str
    fix: str = ""
    severity: Severity = Severity.ERROR
    line: str = ""
    width: int = 1
    guess: Guess | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _printable(hide_tokens(self.message)))
        object.__setattr__(self, "fix", _printable(hide_tokens(self.fix)))

    @property
    def headline(self) -> str:
        """The first line of the rendering: place, severity, code, message."""
        place = f"{_printable(self.where.file)}:{self.where.line}:{self.where.column}"
        return f"{place}  {self.severity} {self.code} {self.message}"

    def __str__(self) -> str:
        told = self.guessed()
        more = f"more: netbird-tokens explain {self.code}"
        last = f"   fix: {told.fix}   {more}" if told.fix else f"   {more}"
        return "\n".join([told.headline, *self._snippet(), last])

    def guessed(self) -> Problem:
        """The same, with what was probably meant, if anything was."""
        likely = closest(self.guess.word, self.guess.known) if self.guess else None
        if self.guess is None or likely is None:
            return self
        message = f'{self.message}; did you mean "{likely}"?'
        return replace(self, message=message, fix=self.guess.fix.format(likely), guess=None)

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


def told(problems: Iterable[Shown]) -> Iterator[str]:
    """Each problem as people see it; of one file the first ones, and how many more there are.

    Warnings give way to errors.
    """
    for file, group in groupby(problems, key=_file):
        found = list(group)
        yield from map(str, _heaviest(found))
        left = len(found) - MOST_SHOWN
        if left > 0:
            where = f" in {_printable(file)}" if file else ""
            yield f"and {left} more problem{'s' if left > 1 else ''}{where}"


def first(problems: Iterable[Shown]) -> Iterator[Shown]:
    """Of each file the problems that `told` tells."""
    for _, group in groupby(problems, key=_file):
        yield from _heaviest(list(group))


def _heaviest(found: Sequence[Shown]) -> Iterator[Shown]:
    by_weight = sorted(range(len(found)), key=lambda index: _is_warning(found[index]))
    return (found[index] for index in sorted(by_weight[:MOST_SHOWN]))


def _file(problem: Shown) -> str:
    return problem.where.file if isinstance(problem, Problem) else ""


def _is_warning(problem: Shown) -> bool:
    return isinstance(problem, Problem) and problem.severity is Severity.WARNING


def quoted(text: str) -> str:
    """Text as it is shown in a message: in quotes, on one line, not too long, no secret."""
    plain = hide_tokens(text[:_LOOKED_AT])
    if len(plain) > _LONGEST_VALUE:
        plain = plain[: _LONGEST_VALUE - 1] + "…"
    return _made_visible(json.dumps(plain, ensure_ascii=False))


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
    return _made_visible(text.replace("\t", "→"))


def _made_visible(text: str) -> str:
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    return char if char.isprintable() or char == _JOINER else "�"


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes: emoji and CJK take two, accents none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
