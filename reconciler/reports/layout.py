"""Text in columns: how wide it is and where it breaks. Knows nothing of what it says.

Words are never cut, so that ids, paths and flags can be copied; one that is too long stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len

GAP: Final = "   "
_OURS: Final = re.compile("[ -~→…–≥✔✘]*")
"""Signs of our own, each of one column."""
_NARROWEST: Final = 20
"""The first and the last column of a table get at least this much; lines may run on for it."""


def columns(text: str) -> int:
    """How many columns of a terminal a line without control characters takes."""
    plain = text.isascii() or _OURS.fullmatch(text)  # else rich looks at each letter
    return len(text) if plain else cell_len(text)


def padded(text: str, width: int) -> str:
    """The text in so many columns of a terminal: emoji and CJK take two, accents none."""
    return text + " " * (width - columns(text))


def wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words, each at most so wide where its words allow it."""
    if columns(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split(" "):
        if lines and columns(lines[-1]) + 1 + columns(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def flowed(pieces: Iterable[str], width: int) -> list[str]:
    """Pieces side by side while they fit; one that does not fit begins a line of its own."""
    lines: list[str] = []
    for piece in filter(None, pieces):
        if lines and columns(lines[-1]) + len(GAP) + columns(piece) <= width:
            lines[-1] += GAP + piece
        else:
            lines.extend(wrapped(piece, width))
    return lines


def column(labels: Iterable[str], most: int) -> int:
    """How wide a column of labels is: as the widest that may share its line with more."""
    return max((w for w in map(columns, labels) if w <= most), default=min(most, 12))


def beside(label: str, body: Sequence[str], width: int, gap: str = GAP) -> Iterator[str]:
    """The body beside a label of a column so wide; below a label that is wider."""
    rest = list(body)
    if columns(label) <= width:
        first = rest.pop(0) if rest else ""
        yield f"{padded(label, width)}{gap}{first}".rstrip()
    else:
        yield label
    yield from (f"{' ' * width}{gap}{line}".rstrip() for line in rest)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """Columns as wide as they need. With a width, the first and the last share what the others leave:
    a longer first cell stands on a line of its own, a longer last one is broken. No trailing blanks.
    """
    lines = [head, *rows] if any(head) else rows
    widths = [max(columns(row[i]) for row in lines) for i in range(len(head))]
    inner = sum(widths[1:-1]) + 2 * (len(widths) - 1)
    first, room = widths[0], widths[-1]
    if width is not None and first + inner + room > width:
        room = max(min(room, _NARROWEST), width - inner - first)
        first = column((row[0] for row in lines), max(width - inner - room, _NARROWEST))
        room = max(room, width - inner - first)
    return "".join(
        f"{line}\n"
        for row in lines
        for line in beside(row[0], list(_cells(row[1:], widths[1:-1], room)), first, "  ")
    )


def _cells(cells: Sequence[str], widths: Sequence[int], room: int) -> Iterator[str]:
    """All cells but the first: one line, and more where the last cell is broken."""
    lead = "".join(f"{padded(cell, w)}  " for cell, w in zip(cells[:-1], widths, strict=True))
    last, *more = wrapped(cells[-1], room)
    yield f"{lead}{last}"
    yield from (f"{' ' * columns(lead)}{line}" for line in more)
