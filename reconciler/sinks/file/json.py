"""The `json` format: one object, our tokens as strings, our records under `_netbird-tokens`.

No key of ours can be that name. Members that are not ours keep their order and their values; a
number that would not survive being read and written again is refused rather than rounded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from reconciler.core.secret import Secret
from reconciler.sinks.receipt_text import Found, Garbled

_RECORDS: Final = "_netbird-tokens"
_RECEIPTS: Final = "receipts"
_REGISTRATIONS: Final = "registrations"
_BOM: Final = "\ufeff"

_INEXACT: Final = "it holds a number that cannot be rewritten exactly"

Members = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A file that holds one JSON object."""

    members: Members

    @staticmethod
    def parse(content: bytes) -> JsonFile:
        """Raises Garbled for anything but one object; never quotes what it read."""
        text = content.decode(errors="strict") if _is_utf8(content) else ""
        if not content.strip():
            return JsonFile({})
        try:
            members = json.loads(
                text.removeprefix(_BOM),
                parse_float=_exact,
                parse_int=_whole,
                object_pairs_hook=_no_duplicates,
            )
        except Garbled:  # a ValueError, too, but one that says what is wrong
            raise
        except (ValueError, RecursionError):
            members = None
        if not isinstance(members, dict):
            raise Garbled("the file is not one JSON object")
        return JsonFile(members)

    def encode(self) -> bytes:
        text = json.dumps(self.members, indent=2, ensure_ascii=False) + "\n"
        return text.encode(errors="backslashreplace")  # half a surrogate pair: JSON's own escape

    def found(self) -> Mapping[str, Found]:
        receipts = self._records(_RECEIPTS)
        values = {key: value for key, value in self.members.items() if key != _RECORDS}
        return {
            key: Found(receipts.get(key), _secret(values[key]) if key in values else None)
            for key in values | receipts
        }

    def registrations(self) -> Mapping[str, str]:
        return self._records(_REGISTRATIONS)

    def with_value(self, key: str, token: str) -> JsonFile:
        return JsonFile({**self.members, key: token})

    def with_receipt(self, key: str, text: str) -> JsonFile:
        return self._with_records(_RECEIPTS, {**self._records(_RECEIPTS), key: text})

    def with_registration(self, set_name: str, text: str) -> JsonFile:
        known = self._records(_REGISTRATIONS)
        return self._with_records(_REGISTRATIONS, {**known, set_name: text})

    def without_value(self, key: str) -> JsonFile:
        return JsonFile({k: value for k, value in self.members.items() if k != key})

    def without_receipt(self, key: str) -> JsonFile:
        kept = {k: text for k, text in self._records(_RECEIPTS).items() if k != key}
        return self._with_records(_RECEIPTS, kept)

    def _records(self, kind: str) -> dict[str, str]:
        records = self.members.get(_RECORDS, {})
        found = records.get(kind, {}) if isinstance(records, dict) else None
        if not isinstance(found, dict):
            raise Garbled(f"its member {_RECORDS} is not ours")
        return {key: json.dumps(record) for key, record in found.items()}

    def _with_records(self, kind: str, texts: Mapping[str, str]) -> JsonFile:
        old = self.members.get(_RECORDS, {})
        records = dict(old) if isinstance(old, dict) else {}
        records[kind] = {key: json.loads(text) for key, text in texts.items()}
        return JsonFile({**self.members, _RECORDS: records})


def _secret(value: object) -> Secret:
    return Secret(value if isinstance(value, str) else json.dumps(value))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _exact(text: str) -> float:
    number = float(text)
    with suppress(InvalidOperation):  # an exponent beyond all bounds
        if Decimal(text) == Decimal(repr(number)):
            return number
    raise Garbled(_INEXACT)


def _whole(text: str) -> int:
    with suppress(ValueError):  # more digits than Python reads
        if str(number := int(text)) == text:  # it is not for `-0`
            return number
    raise Garbled(_INEXACT)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Garbled("a key stands in it twice")
    return found
