"""Reading Parameter Store: one SecureString per key, its description the receipt.

A description can outlive its value (an overwrite that brings none may keep it), so it is held against the
value: a plan reads both, in two calls, and believes them only where they are of one version.

A receipt that was amended stands in a parameter of its own, below `.amended/`, and names the state of the
parameter that it was written for: there it takes the place of the description, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeGuard

from reconciler.core.keys import PATH_KEYS
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkUnread
from reconciler.sinks.aws.account import CONNECTIONS
from reconciler.sinks.aws.calls import Service
from reconciler.sinks.compact import MARK, expanded
from reconciler.sinks.receipt_text import Found
from reconciler.sinks.records import NOTHING, Record, Scan
from reconciler.sinks.rest import Denied

KEYS: Final = replace(PATH_KEYS, nests=False, deepest=15)
REGISTRATIONS: Final = ".registrations/"
AMENDED: Final = ".amended/"
"""No part of a key begins with a dot, so no token can stand here."""
MISSING: Final = "ParameterNotFound"
_BATCH: Final = 10
_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Held:
    """What a parameter holds now.

    Attributes:
        stamp: Tells all its states apart, also those of another one that was made after it was deleted.
    """

    version: int
    stamp: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ParameterReader:
    """All parameters below one path."""

    service: Service
    folder: str

    def scan(self, keys: Collection[str]) -> Scan:
        """One request for each 50 parameters that are there, and one for each 10 values."""
        below = {"Key": "Path", "Option": "Recursive", "Values": [f"/{self.folder}"]}
        about = dict(self._described(below))
        found = sorted({*keys, *(key for key, each in about.items() if _is_ours(key, each))})
        tokens = [key for key in found if not key.startswith(REGISTRATIONS)]
        names = [*found, *(AMENDED + key for key in tokens)]  # by name: a list may lag
        batches = [names[at : at + _BATCH] for at in range(0, len(names), _BATCH)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            held = dict(pair for pairs in pool.map(self._values, batches) for pair in pairs)
            matched = pool.map(lambda key: self._matched(key, held, about.get(key)), tokens)
            records = dict(zip(tokens, matched, strict=True))
        return Scan(records, dict(self._registrations(held)))

    def fetch(self, key: str) -> Record:
        """Where description and value are of two versions, the history has both of one."""
        held = self.value(key)
        if held is None:
            return NOTHING
        named = {"Key": "Name", "Option": "Equals", "Values": [self.path(key)]}
        about = dict(self._described(named)).get(key)
        if about is None or about["Version"] != held.version:
            about = self.earlier(key, held.version)
        if about is None:
            text = f"{self.service.name}:{key} changes while it is read"
            raise SinkUnread(text, hint="run the same command again")
        return _record(held, about, self.value(AMENDED + key))

    def stamp(self, key: str) -> str:
        """That of the record which is there now; empty if there is none."""
        held = self.value(key)
        return "" if held is None else _stamp(held, self.value(AMENDED + key))

    def value(self, key: str) -> Held | None:
        """None: there is no such parameter."""
        given = {"Name": self.path(key), "WithDecryption": True}
        said = self.service.look("get_parameter", given, (MISSING,))
        return None if said.code else _held(said.data["Parameter"])

    def earlier(self, key: str, version: int) -> Mapping[str, Any] | None:
        """One version of a parameter, as its history has it."""
        given = {"Name": self.path(key), "WithDecryption": True}
        for page in self.service.pages("get_parameter_history", given):
            for each in page["Parameters"]:
                if each["Version"] == version:
                    found: Mapping[str, Any] = each
                    return found
        return None

    def path(self, key: str) -> str:
        return f"/{self.folder}/{key}"

    def _described(self, wanted: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        prefix = self.path("")
        given = {"ParameterFilters": [wanted], "MaxResults": _PAGE}
        for page in self.service.pages("describe_parameters", given):
            for each in page["Parameters"]:
                if each["Name"].startswith(prefix):
                    yield each["Name"].removeprefix(prefix), each

    def _values(self, keys: Sequence[str]) -> list[tuple[str, Held | Unread | None]]:
        names = [self.path(key) for key in keys]
        try:
            given = {"Names": names, "WithDecryption": True}
            data = self.service.look("get_parameters", given).data
        except Denied:  # of one of them
            data = {}
        found = {each["Name"]: _held(each) for each in data.get("Parameters", ())}
        known = {**dict.fromkeys(data.get("InvalidParameters", ())), **found}
        return [
            (key, known[name] if name in known else self._alone(key))
            for key, name in zip(keys, names, strict=True)
        ]

    def _alone(self, key: str) -> Held | Unread | None:
        try:
            return self.value(key)
        except Denied as error:
            return Unread(error.message)

    def _matched(
        self,
        key: str,
        found: Mapping[str, Held | Unread | None],
        about: Mapping[str, Any] | None,
    ) -> Record | Unread:
        """Value and description together, if they are of one version; else all is read again."""
        held, amended = found[key], found[AMENDED + key]
        if held is None:
            return NOTHING
        if isinstance(held, Unread):
            return held
        if isinstance(amended, Unread):
            return amended
        if about is not None and about["Version"] == held.version:
            return _record(held, about, amended)
        return self.fetch(key)

    def _registrations(
        self, held: Mapping[str, Held | Unread | None]
    ) -> Iterator[tuple[SetName, str]]:
        for key, each in held.items():
            if key.startswith(REGISTRATIONS) and each is not None:
                if isinstance(each, Unread):
                    raise SinkUnread(each.why)
                yield SetName(key.removeprefix(REGISTRATIONS)), each.value


def _is_ours(key: str, about: Mapping[str, Any]) -> bool:
    receipt = KEYS.accepts(key) and about.get("Description", "").startswith(MARK)
    return receipt or key.startswith(REGISTRATIONS)


def amendment(stamp: str, receipt: str) -> str:
    """What is written to amend the receipt of a record with this stamp."""
    return f"{_of_value(stamp)} {receipt}"


def _record(held: Held, about: Mapping[str, Any], amended: Held | None) -> Record:
    receipt = about.get("Description", "")
    if _amends(amended, held):
        receipt = amended.value.partition(" ")[2]
    return Record(Found(expanded(receipt), Secret(held.value)), _stamp(held, amended))


def _stamp(held: Held, amended: Held | None) -> str:
    return f"{held.stamp}+{amended.stamp}" if _amends(amended, held) else held.stamp


def _of_value(stamp: str) -> str:
    return stamp.partition("+")[0]


def _amends(amended: Held | None, held: Held) -> TypeGuard[Held]:
    return amended is not None and amended.value.partition(" ")[0] == held.stamp


def _held(each: Mapping[str, Any]) -> Held:
    version = int(each["Version"])
    moment = int(each["LastModifiedDate"].timestamp())
    return Held(version, f"{version}@{moment}", str(each["Value"]))
