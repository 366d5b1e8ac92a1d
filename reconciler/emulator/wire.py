"""JSON and timestamps as a Go server reads and writes them (netbird-api.md §1.0, §1.1, §6)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NoReturn, TypeAlias

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
Fields: TypeAlias = "Mapping[str, Json]"

JSON_HEADERS: Final[Mapping[str, str]] = {"Content-Type": "application/json; charset=UTF-8"}
ZERO_TIME: Final = "0001-01-01T00:00:00Z"
_SECOND: Final = 10**9
_INT64: Final = range(-(2**63), 2**63)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPED: Final = str.maketrans(
    {letter: f"\\u{ord(letter):04x}" for letter in ("<", ">", "&", "\u2028", "\u2029")}
)


def encode(value: Json) -> bytes:
    """Compact JSON with a line end; what HTML or JavaScript could trip over is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return (text.translate(_ESCAPED) + "\n").encode()


def decode(body: bytes) -> Fields | None:
    """The first JSON value, an object or null; what follows it is ignored.

    Keys are lower-case (Go matches them in any case), a null field is left out, the last of two
    equal keys wins. Raises ValueError for anything else.
    """
    text = body.decode(errors="replace").lstrip(" \t\r\n")
    decoder = json.JSONDecoder(object_pairs_hook=_fields, parse_constant=_no_constant)
    try:
        value, _ = decoder.raw_decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if value is not None and not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def text_field(fields: Fields, name: str) -> str:
    """A string, empty when missing. Raises ValueError for any other type."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise TypeError(name)
    return _LONE_SURROGATE.sub("\ufffd", value)


def int_field(fields: Fields, name: str) -> int:
    """A 64-bit integer, 0 when missing; `3.0` and `3e1` are none. Raises TypeError."""
    value = fields.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value not in _INT64:
        raise TypeError(name)
    return value


def bool_field(fields: Fields, name: str) -> bool:
    """True or false, false when missing. Raises TypeError for any other type."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise TypeError(name)
    return value


def list_field(fields: Fields, name: str) -> tuple[str, ...] | None:
    """A list of strings; None when missing. Raises TypeError for any other type."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError(name)
    return tuple(value)


def stamp(nanoseconds: int | None, zone: tzinfo) -> str:
    """RFC3339Nano: up to nine digits, zeros trimmed, `Z` at offset zero; None is Go's zero time."""
    if nanoseconds is None:
        return ZERO_TIME
    seconds, fraction = divmod(nanoseconds, _SECOND)
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    offset = text[19:]
    return text[:19] + digits + ("Z" if offset == "+00:00" else offset)


def utc_stamp(nanoseconds: int) -> str:
    """RFC3339Nano in UTC: `last_used` and events, whatever the server's zone."""
    return stamp(nanoseconds, UTC)


def add_days(nanoseconds: int, days: int, zone: tzinfo) -> int:
    """The same wall-clock time so many days later, in nanoseconds since 1970 (§6)."""
    seconds, fraction = divmod(nanoseconds, _SECOND)
    wall = datetime.fromtimestamp(seconds, zone) + timedelta(days=days)
    return int(wall.timestamp()) * _SECOND + fraction


def _fields(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    return {key.lower(): value for key, value in pairs if value is not None}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
