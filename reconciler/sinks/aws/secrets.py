"""Reading Secrets Manager: one secret per key, token and receipt in one JSON value.

A list of AWS may be five minutes old. So what entries name, and the registrations, which all stand in one
secret, are asked for by name; the list only adds what no entry names any more.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from reconciler.core.keys import PATH_KEYS
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkUnread
from reconciler.sinks.aws.account import CONNECTIONS
from reconciler.sinks.aws.calls import Service
from reconciler.sinks.receipt_text import Found, Garbled, from_text
from reconciler.sinks.records import NOTHING, Record, Scan
from reconciler.sinks.rest import Denied

KEYS: Final = replace(PATH_KEYS, nests=False, longest=512)
REGISTRATIONS: Final = ".registrations"
"""No part of a key begins with a dot, so no token can stand here."""
MISSING: Final = "ResourceNotFoundException"
INVALID: Final = "InvalidRequestException"
_VERSIONS: Final = uuid.UUID("5f1b8d0e-6d53-5c5b-9c7a-0d6f4f3f2a11")
_REMOVED: Final = "removed"
_BRING_BACK: Final = (
    "`aws secretsmanager restore-secret` brings it back; or give the entry another key"
)
_BATCH: Final = 20
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Held:
    """One version of a secret.

    Attributes:
        arn: Of this very secret; another one that is given the same name has another.
        version: Empty: there is no secret, or none that has a value.
        text: Empty where the value is no text.
    """

    arn: str = ""
    version: str = ""
    text: str = field(default="", repr=False)

    @property
    def data(self) -> dict[str, object]:
        """The value as a mapping; empty if it is none."""
        try:
            found = from_text(self.text)
        except Garbled:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like: the names of token and receipt in it."""

    value: str
    receipt: str

    def record(self, held: Held) -> Record:
        if not held.version:
            return NOTHING
        if self.is_removed(held):
            return Record(stamp=held.version)
        value, receipt = held.data.get(self.value), held.data.get(self.receipt)
        whole = held.text if receipt is None else None  # a value of somebody else, of any shape
        token = value if isinstance(value, str) else whole
        text = receipt if receipt is None or isinstance(receipt, str) else to_text(receipt)
        return Record(Found(text, None if token is None else Secret(token)), held.version)

    def others(self, held: Held) -> dict[str, object]:
        """What people keep in the same secret."""
        return {k: v for k, v in held.data.items() if k not in (self.value, self.receipt)}

    def removed(self) -> str:
        """The value of a secret that is about to be deleted."""
        return to_text({self.receipt: _REMOVED})

    def is_removed(self, held: Held) -> bool:
        return held.data == {self.receipt: _REMOVED}


@dataclass(frozen=True, slots=True)
class SecretsReader:
    """All secrets below one path."""

    service: Service
    folder: str
    shape: Shape

    def scan(self, keys: Collection[str]) -> Scan:
        """One request for each 100 secrets that are there, and one for each 20 values."""
        wanted = set(keys)
        names = sorted(wanted | set(self._listed()))
        batches = [names[at : at + _BATCH] for at in range(0, len(names), _BATCH)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            registered = pool.submit(self.registrations)
            found = dict(pair for pairs in pool.map(self._batch, batches) for pair in pairs)
        records = {
            key: record
            for key, record in found.items()
            if key in wanted or isinstance(record, Unread) or record.found.receipt is not None
        }
        return Scan(records, registered.result()[1])

    def fetch(self, key: str) -> Record:
        return self.shape.record(self.current(key))

    def current(self, key: str) -> Held:
        """The version that consumers read; of what we removed, that it is removed.

        What somebody else is about to delete can be brought back, so nothing is known of it.
        """
        given = {"SecretId": self.path(key), "VersionStage": "AWSCURRENT"}
        look = partial(self.service.look, "get_secret_value", given)
        said = look((MISSING, INVALID))
        if said.code == INVALID:
            about = self.about(self.path(key))
            if self.is_scheduled(about):
                return self._going(key, about)
            said = look((MISSING,))  # somebody may have brought it back between the two looks
        return Held() if said.code else _held(said.data)

    def version(self, key: str, version: str) -> Held:
        """One version, current or not; none if there is no such version."""
        given = {"SecretId": self.path(key), "VersionId": version}
        said = self.service.look("get_secret_value", given, (MISSING, INVALID))
        return Held() if said.code else _held(said.data)

    def about(self, secret: str) -> Mapping[str, Any]:
        """What AWS says of a secret, by its name or its ARN, besides its values; empty: there is none."""
        return self.service.look("describe_secret", {"SecretId": secret}, (MISSING,)).data

    def is_scheduled(self, about: Mapping[str, Any]) -> bool:
        return "DeletedDate" in about

    def is_removed(self, about: Mapping[str, Any]) -> bool:
        """Whether the current version is the one that says so; its name is that of its content."""
        stages = about.get("VersionIdsToStages", {})
        return "AWSCURRENT" in stages.get(name_of(self.shape.removed()), ())

    def registrations(self) -> tuple[Held, dict[SetName, str]]:
        """The secret in which they all stand, and each of them. Raises SinkUnread."""
        held = self.current(REGISTRATIONS)
        if held.version and not held.data:
            where = self.path(REGISTRATIONS)
            raise SinkUnread(f"the registrations in {where} cannot be read", hint="mend it by hand")
        texts = {
            SetName(name): text if isinstance(text, str) else to_text(text)
            for name, text in held.data.items()
        }
        return held, texts

    def path(self, key: str) -> str:
        return f"{self.folder}/{key}"

    def _going(self, key: str, about: Mapping[str, Any]) -> Held:
        """Of a secret that is scheduled for deletion: by us, or by others, who may bring it back."""
        if self.is_removed(about):
            return Held(str(about["ARN"]), name_of(self.shape.removed()), self.shape.removed())
        where = f"{self.service.name}:{key}"
        raise Denied(f"cannot read {where}: it is marked for deletion", hint=_BRING_BACK)

    def _listed(self) -> Iterator[str]:
        """The keys of what is below the path, as AWS has it in its list."""
        prefix = f"{self.folder}/"
        given = {"Filters": [{"Key": "name", "Values": [prefix]}], "MaxResults": _PAGE}
        for page in self.service.pages("list_secrets", given):
            for secret in page["SecretList"]:
                name = str(secret["Name"])
                key = name.removeprefix(prefix)
                if key != name and KEYS.accepts(key):
                    yield key

    def _batch(self, keys: Sequence[str]) -> list[tuple[str, Record | Unread]]:
        names = [self.path(key) for key in keys]
        found: dict[str, Record] = {}
        for page in self.service.pages("batch_get_secret_value", {"SecretIdList": names}):
            for value in page.get("SecretValues", ()):
                found[value["Name"]] = self.shape.record(_held(value))
            for error in page.get("Errors", ()):
                if error["ErrorCode"] == MISSING:
                    found[error["SecretId"]] = NOTHING
        return [
            (key, found[name] if name in found else self._alone(key))
            for key, name in zip(keys, names, strict=True)
        ]

    def _alone(self, key: str) -> Record | Unread:
        """What no batch could tell."""
        try:
            return self.fetch(key)
        except Denied as error:
            return Unread(error.message)


def name_of(content: str) -> str:
    """Of the version that has this content: a UUID, which tells nothing of the token in it."""
    return str(uuid.uuid5(_VERSIONS, content))


def to_text(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def _held(value: Mapping[str, object]) -> Held:
    return Held(str(value["ARN"]), str(value["VersionId"]), str(value.get("SecretString", "")))
