"""The `dotenv` format: `KEY=token` lines, each below one comment with its receipt.

The token stands unquoted, which shells, docker and every dotenv library read alike (sinks.md §4.2).
Receipts name their key, so that a tool that sorts or drops lines cannot hand one to another value.
Where a key is assigned twice, the last line counts, as in a shell. All that is not ours stays as it
is, byte for byte: comments, order, quotes, CRLF, a byte order mark.

A quoted value may span lines; what stands in it is no line of its own. Where a quote or a backslash
would draw our lines into somebody's value, for one reader or another, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from reconciler.core.secret import Secret
from reconciler.sinks.receipt_text import Found, Garbled

_BOM: Final = b"\xef\xbb\xbf"
_ASSIGNMENT: Final = re.compile(
    rb"\s*(?P<export>export[ \t]+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=(?P<value>.*?)\r?",
    re.DOTALL,
)
_LINE: Final = re.compile(
    rb"""
    [^\S\n]*+ (?P<comment> \# [^\n]*+ )
    |
    (?:  # a name, and a value in quotes, which alone may span lines
        [^\S\n]*+ (?: export [ \t]++ )? [A-Za-z_][A-Za-z0-9_]*+ [ \t]*+ =
        (?: [ \t]*+ (?: " (?: [^"\\] | \\. )*+ " | ' (?: [^'\\] | \\(?!') )*+ ' ) )?+
    )?+
    (?:
        [^\s"'\\]
        | \\ [^\r\n]
        | " (?: [^"\\\n] | \\[^\n] )*+ "
        | ' (?: [^'\\\n] | \\(?!') )*+ '
        | [^\S\n]++ (?: \# [^\n]*+ )?
    )*+
    """,
    re.DOTALL | re.VERBOSE,
)
_RECEIPT: Final = b"# netbird-tokens: "
_REGISTRATION: Final = b"# netbird-tokens-registration: "
_RECORD: Final = re.compile(rb"(?P<key>[A-Za-z0-9_-]+) (?P<text>\{[^\r]*)\r?")


@dataclass(frozen=True, slots=True)
class Dotenv:
    """A dotenv file, split at the line feeds outside of quotes; joined again it is the same file."""

    bom: bytes
    lines: tuple[bytes, ...]

    @staticmethod
    def parse(content: bytes) -> Dotenv:
        """Raises Garbled where readers may not agree on where a line ends."""
        bom = _BOM if content.startswith(_BOM) else b""
        return Dotenv(bom, tuple(_lines(content.removeprefix(bom))))

    def encode(self) -> bytes:
        return self.bom + b"\n".join(self.lines)

    def found(self) -> Mapping[str, Found]:
        values = {key: line["value"] for _, key, line in self._assignments()}
        receipts = self._records(_RECEIPT)
        return {
            key: Found(
                receipts.get(key),
                Secret(values[key].decode(errors="replace")) if key in values else None,
            )
            for key in values | receipts
        }

    def registrations(self) -> Mapping[str, str]:
        return self._records(_REGISTRATION)

    def with_value(self, key: str, token: str) -> Dotenv:
        for at, export in self._last(key):
            line = b"%s%s=%s" % (export, key.encode(), token.encode())
            return self._spliced(at, at + 1, line)
        return self._appended(b"%s=%s" % (key.encode(), token.encode()))

    def with_receipt(self, key: str, text: str) -> Dotenv:
        bare = self.without_receipt(key)
        line = b"%s%s %s" % (_RECEIPT, key.encode(), text.encode())
        for at, _ in bare._last(key):  # noqa: SLF001 - its own kind
            return bare._spliced(at, at, line)  # noqa: SLF001 - its own kind
        return bare._appended(line)  # noqa: SLF001 - its own kind

    def with_registration(self, set_name: str, text: str) -> Dotenv:
        bare = self._without_record(_REGISTRATION, set_name)
        return bare._spliced(  # noqa: SLF001 - its own kind
            0, 0, b"%s%s %s" % (_REGISTRATION, set_name.encode(), text.encode())
        )

    def without_value(self, key: str) -> Dotenv:
        for at, _ in self._last(key):
            return self._spliced(at, at + 1)
        return self

    def without_receipt(self, key: str) -> Dotenv:
        return self._without_record(_RECEIPT, key)

    def _assignments(self) -> Iterator[tuple[int, str, re.Match[bytes]]]:
        for at, line in enumerate(self.lines):
            if found := _ASSIGNMENT.fullmatch(line):
                yield at, found["key"].decode(), found

    def _last(self, key: str) -> list[tuple[int, bytes]]:
        """Line and `export ` of the assignment that counts; empty if there is none."""
        return [
            (at, line["export"] or b"") for at, each, line in self._assignments() if each == key
        ][-1:]

    def _records(self, prefix: bytes) -> dict[str, str]:
        return {
            found["key"].decode(): found["text"].decode(errors="replace")
            for line in self.lines
            if (found := _record(prefix, line))
        }

    def _without_record(self, prefix: bytes, key: str) -> Dotenv:
        name = key.encode()
        kept = (
            line
            for line in self.lines
            if not ((found := _record(prefix, line)) and found["key"] == name)
        )
        return replace(self, lines=tuple(kept))

    def _appended(self, line: bytes) -> Dotenv:
        """Below everything; a last line that lacks its line feed gets one."""
        if self.lines[-1]:
            last = len(self.lines) - 1
            closed = self._spliced(last, last + 1, self.lines[last].removesuffix(b"\r"))
            ended = replace(closed, lines=(*closed.lines, b""))
            return ended._appended(line)  # noqa: SLF001 - its own kind
        end = len(self.lines) - 1
        return self._spliced(end, end, line)

    def _spliced(self, start: int, end: int, *new: bytes) -> Dotenv:
        ended = (line + b"\r" if self._has_crlf() else line for line in new)
        return replace(self, lines=(*self.lines[:start], *ended, *self.lines[end:]))

    def _has_crlf(self) -> bool:
        return self.lines[0].endswith(b"\r")


def _lines(content: bytes) -> Iterator[bytes]:
    at = 0
    while found := _LINE.match(content, at):
        end = found.end()
        follows = content[end : end + 1]
        if follows == b"\\" or (found["comment"] or b"").rstrip().endswith(b"\\"):
            raise _garbled(content, at, "ends in a backslash, which joins it with what follows")
        if follows not in (b"", b"\n"):
            raise _garbled(content, at, "has a quote that does not end: what follows may be in it")
        yield found[0]
        if not follows:
            return
        at = end + 1


def _garbled(content: bytes, at: int, why: str) -> Garbled:
    number = content.count(b"\n", 0, at) + 1
    return Garbled(f"line {number} {why}")


def _record(prefix: bytes, line: bytes) -> re.Match[bytes] | None:
    return _RECORD.fullmatch(line.removeprefix(prefix)) if line.startswith(prefix) else None
