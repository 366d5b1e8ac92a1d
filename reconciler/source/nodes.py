"""A parsed file: values that know where they stand.

Scalars follow the YAML 1.2 core schema, narrowed: `no`, `12:30`, `0777`, `1_000`, `0x1F` and dates
are text, so nothing turns into something else behind anybody's back (plan-apply.md, rule 7).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.source.problems import Span

_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]{0,17})(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?"
)
_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_NUMERIC: Final = frozenset("+-.0123456789")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `text` is how it was written, without quotes."""

    value: str | int | float | bool | None
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Seq:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Pair:
    """One key of a mapping and its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, slots=True)
class Map:
    """A mapping; merged keys stand among its own, with the position they were written at."""

    pairs: Mapping[str, Pair]
    span: Span

    def get(self, key: str) -> Node | None:
        pair = self.pairs.get(key)
        return pair.value if pair else None


Node = Scalar | Seq | Map


def plain_scalar(text: str, span: Span) -> Scalar:
    """An unquoted scalar, as the YAML 1.2 core schema reads it."""
    if text in _WORDS:
        return Scalar(_WORDS[text], text, span)
    if text[0] not in _NUMERIC:
        return Scalar(text, text, span)
    if _INT.fullmatch(text):
        return Scalar(int(text), text, span)
    if _FLOAT.fullmatch(text):
        return Scalar(float(text), text, span)
    return Scalar(text, text, span)


def plain(node: Node) -> object:
    """The value without positions, as JSON would have it."""
    match node:
        case Scalar(value=value):
            return value
        case Seq(items=items):
            return [plain(item) for item in items]
        case Map(pairs=pairs):
            return {key: plain(pair.value) for key, pair in pairs.items()}


def descend(node: Node, path: tuple[str | int, ...]) -> Node:
    """The node at a path of keys and indexes."""
    for step in path:
        match node:
            case Map(pairs=pairs):
                node = pairs[str(step)].value
            case Seq(items=items):
                node = items[int(step)]
            case Scalar():
                break
    return node
