"""Bytes of a file to text that is safe to parse and to quote: size, encoding, characters, pasted tokens.

Only regular files are read, and no link that leads out of its folder is followed: a pull request
must not be able to print another file of the machine through an error message.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from reconciler.core.secret import holds_token, tokens_in
from reconciler.core.spec import Location
from reconciler.source.problems import START, Problem, Severity, Span

MAX_BYTES: Final = 10 * 1024 * 1024
_INVISIBLE: Final = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
"""What ends a line for YAML but not on a screen, or turns text around, could hide an entry in a review."""
_FORBIDDEN: Final = re.compile(_INVISIBLE)
_FORBIDDEN_BETWEEN_NEWLINES: Final = re.compile(rf"{_INVISIBLE}|\r(?!\n)")
_CALLED: Final = {
    0x00: "a NUL byte",
    0x0D: "a carriage return within a line",
    0xFEFF: "a byte order mark that is not at its start",
}
_LINE_END: Final = re.compile("\r\n|[\n\r]")
_SECRET: Final = re.compile(r"nbp_\w+|AGE-SECRET-KEY-[\w-]+")


_PASTED: Final = "a real NetBird token stands in the file"
_REVOKE: Final = "revoke it now, then remove it here; secrets belong into sinks"


class Placed(Protocol):
    """Anything that stands somewhere in a file."""

    @property
    def span(self) -> Span: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One file as it was read.

    Attributes:
        name: The path, as the user gave it.
        lines: The lines, with anything that looks like a token blacked out, width kept.
    """

    name: str
    text: str
    lines: tuple[str, ...]

    def at(self, placed: Placed) -> Location:
        return Location(self.name, placed.span.line, placed.span.column)

    def problem(
        self,
        code: str,
        span: Span,
        message: str,
        fix: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """A problem at a place of this file."""
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        where = Location(self.name, span.line, span.column)
        return Problem(code, where, message, fix, severity, line, span.width)


class Unreadable(Exception):
    """The file gives no text or no YAML. No error for callers: it carries a problem to the loader."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.headline)
        self.problem = problem


def read_source(path: Path) -> Source:
    """The text of one file. Raises Unreadable."""
    data = _bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = Location(str(path), line, 1)
        raise Unreadable(
            Problem("NB101", where, "this is not UTF-8 text", "save the file as UTF-8")
        ) from None
    return Source(str(path), text, tuple(_LINE_END.split(_SECRET.sub(_blacked_out, text))))


def forbidden_character(source: Source) -> Problem | None:
    """The first character that no text file should hold."""
    forbidden = _FORBIDDEN_BETWEEN_NEWLINES if "\n" in source.text else _FORBIDDEN
    found = forbidden.search(source.text)
    if found is None:
        return None
    before = _LINE_END.split(source.text[: found.start()])
    code = ord(found[0])
    what = _CALLED.get(code, f"the control character U+{code:04X}")
    span = Span(len(before), len(before[-1]) + 1)
    return source.problem("NB101", span, f"{what} stands in the file", "remove it")


def pasted_tokens(source: Source) -> list[Problem]:
    """Every line that holds a real token, comments included."""
    if not holds_token(source.text):
        return []
    return [
        source.problem(
            "NB120",
            Span(number, found.start() + 1, len(found[0])),
            _PASTED,
            _REVOKE,
        )
        for number, line in enumerate(_LINE_END.split(source.text), start=1)
        for found in _SECRET.finditer(line)
        if holds_token(found[0])
    ]


def scanned(path: Path) -> list[Problem]:
    """Every real token in a file of any kind, by its place; or that the file could not be read."""
    try:
        _must_be_regular(path, path.stat())
        with open(path, "rb", opener=without_waiting) as file:
            data = file.read().replace(b"\0", b"")  # so that UTF-16 is read, too
    except OSError as error:
        why = error.strerror or type(error).__name__
        return [_no_file(path, f"cannot read the file: {why}", "check the path").problem]
    except Unreadable as unreadable:
        return [unreadable.problem]
    found = tokens_in(data.decode("latin-1"))  # a character for each byte
    return [Problem("NB120", _location(path, data[:start]), _PASTED, _REVOKE) for start in found]


def _location(path: Path, before: bytes) -> Location:
    line = before.rpartition(b"\n")[2].decode(errors="replace")
    return Location(str(path), before.count(b"\n") + 1, len(line) + 1)


def _bytes(path: Path) -> bytes:
    try:
        if leaves_its_folder(path):
            raise _no_file(path, "this link leads out of its folder", "give the path it points to")
        _must_be_regular(path, path.stat())  # to open a device may already do something
        with open(path, "rb", opener=without_waiting) as file:
            _must_be_regular(path, os.fstat(file.fileno()))
            data = read_steady(path, file)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise _no_file(path, f"cannot read the file: {why}", "check the path") from None
    if len(data) > MAX_BYTES:
        problem = Problem(
            "NB108",
            Location(str(path), 1, 1),
            "the file is larger than 10 MB",
            "split the set into several files of one folder",
        )
        raise Unreadable(problem)
    return data


def read_steady(path: Path, file: BinaryIO) -> bytes:
    """What stands in an open file, up to one byte too many.

    Raises Unreadable if it is written to meanwhile: half a file would be a smaller set.
    """
    before = os.fstat(file.fileno())
    data = file.read(MAX_BYTES + 1)
    after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        fix = "run again once it is written"
        raise _no_file(path, "the file changed while it was read", fix)
    return data


def _must_be_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _no_file(path, "this is no regular file", "give the path of a file")


def without_waiting(path: str, flags: int) -> int:
    """Opens even what became a pipe since we looked; nobody may ever write into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def leaves_its_folder(path: Path) -> bool:
    """Whether it is a link to somewhere else; mounted ConfigMaps link within their folder."""
    if not path.is_symlink():
        return False
    # `Path.resolve` raises on a loop of links; this does not, and reading it fails later
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(path.parent))


def _no_file(path: Path, message: str, fix: str) -> Unreadable:
    where = Location(str(path), START.line, START.column)
    return Unreadable(Problem("NB100", where, message, fix))


def _blacked_out(found: re.Match[str]) -> str:
    return "nbp_" + "*" * (len(found[0]) - len("nbp_"))
