"""The `aws-ssm` sink type: one SecureString per key, nothing but the token in it.

The receipt is its description, which AWS sets in the same step as the value. An overwrite is
unconditional, so the last writer wins; every state has a version, by which a change since the plan is seen.

To amend a receipt never touches the value: AWS takes a description only together with one, and between look
and write somebody may have stored another. So it is written to a parameter of its own (`parameters`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkError, SinkRefused
from reconciler.sinks import Options, SinkType
from reconciler.sinks.aws.account import Account, identity, tags_of
from reconciler.sinks.aws.calls import Said, Service
from reconciler.sinks.aws.known import proof
from reconciler.sinks.aws.parameters import (
    AMENDED,
    KEYS,
    MISSING,
    REGISTRATIONS,
    ParameterReader,
    amendment,
)
from reconciler.sinks.compact import Room, compact
from reconciler.sinks.conditions import nothing_written, plain
from reconciler.sinks.records import Changed, Record, RecordSink, Scan
from reconciler.surroundings import Surroundings

ROOM: Final = Room("AWS's", 1024, ascii=True)
_EXISTS: Final = "ParameterAlreadyExists"
_MISFIT: Final = "ParameterPatternMismatchException"
_IMPOSSIBLE: Final = {"Value": "preflight", "AllowedPattern": "^netbird-tokens$"}
"""A value that its own pattern forbids: AWS takes it in no case."""


@dataclass(frozen=True, slots=True)
class ParameterStore:
    """All parameters below one path.

    Attributes:
        always: What every secure value is given: tier, KMS key.
        tags: The parameter for tags, which AWS takes with a new name only.
    """

    reader: ParameterReader
    always: Mapping[str, object]
    tags: Mapping[str, object]

    @property
    def name(self) -> str:
        return self.reader.service.name

    @property
    def power(self) -> Power:
        return Power.UNCONDITIONAL

    @property
    def keys(self) -> KeyRule:
        return KEYS

    def scan(self, keys: Collection[str]) -> Scan:
        return self.reader.scan(keys)

    def fetch(self, key: str) -> Record:
        return self.reader.fetch(key)

    def probe(self, key: str) -> None:
        """Whatever becomes of the write, it cannot take effect."""
        with nothing_written():
            self.reader.fetch(key)
            said = self._make(key, {**self._secure, **_IMPOSSIBLE}, (_EXISTS, _MISFIT))
        if not said.code:
            self._remove(key)
            raise SinkRefused(f"{self.name} takes writes that it must refuse", hint="is it AWS?")

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        described = compact(receipt, ROOM)
        if stamp:
            self._check_unchanged(key, stamp)
        if secret is None:
            self._set(AMENDED + key, amendment(stamp, described))
            return
        given = {**self._secure, "Description": described, "Value": plain(secret)}
        if stamp:
            self._put(key, given, lambda: self._check_unchanged(key, stamp))
        elif self._make(key, given, (_EXISTS,)).code:
            raise self._changed(key)

    def save_registration(self, set_name: SetName, text: str) -> None:
        self._set(REGISTRATIONS + set_name, text)

    def erase(self, key: str, stamp: str) -> None:
        self._check_unchanged(key, stamp)
        self._remove(key, lambda: self._check_unchanged(key, stamp))
        with suppress(
            SinkError
        ):  # what is left amends nothing, and the next one is written over it
            self._remove(AMENDED + key)

    @property
    def _secure(self) -> dict[str, object]:
        return {"Type": "SecureString", **self.always}

    def _check_unchanged(self, key: str, stamp: str) -> None:
        """A failed look is a refusal: nothing was written yet."""
        with nothing_written():
            found = self.reader.stamp(key)
        if found != stamp:
            raise self._changed(key)

    def _set(self, name: str, text: str) -> None:
        """A text that is no secret."""
        given = {"Type": "String", "Value": text}
        if self._make(name, given, (_EXISTS,)).code:
            self._put(name, given)

    def _make(self, key: str, given: Mapping[str, object], ready_for: Collection[str]) -> Said:
        """A parameter that is not there yet."""
        whole = {"Name": self.reader.path(key), "Overwrite": False, **self.tags, **given}
        return self.reader.service.send("put_parameter", whole, ready_for)

    def _put(
        self, key: str, given: Mapping[str, object], still: Callable[[], object] | None = None
    ) -> Said:
        whole = {"Name": self.reader.path(key), "Overwrite": True, **given}
        return self.reader.service.send("put_parameter", whole, still=still)

    def _remove(self, key: str, still: Callable[[], object] | None = None) -> None:
        given = {"Name": self.reader.path(key)}
        self.reader.service.send("delete_parameter", given, (MISSING,), still)

    def _changed(self, key: str) -> Changed:
        return Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")


def build(options: Options, around: Surroundings) -> Sink:
    """The sink. Raises UsageError."""
    folder = str(options["path"])
    service = Service("ssm", f"aws-ssm /{folder}", Account(options, around))
    key = {"KeyId": options["kms_key"]} if "kms_key" in options else {}
    reader = ParameterReader(service, folder)
    return RecordSink(ParameterStore(reader, {"Tier": options["tier"], **key}, tags_of(options)))


TYPE = SinkType(
    keys=lambda options: KEYS.below(str(options["path"])),
    build=build,
    store=identity,
    proof=proof("ssm"),
)
