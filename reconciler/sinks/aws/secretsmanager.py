"""The `aws-secretsmanager` sink type.

A secret of AWS has versions that nobody can change, and the label AWSCURRENT on the one that consumers read.
The name of a version is made of its content, so a write that is sent twice is one. A new version begins as
AWSPENDING, is read back, and becomes current only if the one before is current still: compare-and-set.

What is removed: AWSCURRENT goes to a version without a token, compared in the same way; then the secret is
deleted by its ARN, which a secret that somebody makes under the same name meanwhile does not have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure, UsageError
from reconciler.sinks import Options, SinkType
from reconciler.sinks.aws.account import Account, identity, tags_of
from reconciler.sinks.aws.calls import LAGS, Said, Service
from reconciler.sinks.aws.secrets import (
    INVALID,
    KEYS,
    MISSING,
    REGISTRATIONS,
    Held,
    SecretsReader,
    Shape,
    name_of,
    to_text,
)
from reconciler.sinks.conditions import plain
from reconciler.sinks.records import Changed, Record, RecordSink, Scan
from reconciler.surroundings import Surroundings

_NOBODY: Final = name_of("no version has this name")
_EXISTS: Final = "ResourceExistsException"
_NOT_MOVED: Final = (MISSING, INVALID, "InvalidParameterException")
_TRIES: Final = 5
_ANOTHER: Final = "or give the entry another key"


@dataclass(frozen=True, slots=True)
class SecretsStore:
    """All secrets below one path.

    Attributes:
        creation: What a new secret is given besides its value: KMS key, tags.
    """

    reader: SecretsReader
    creation: Mapping[str, object]

    @property
    def name(self) -> str:
        return self.reader.service.name

    @property
    def power(self) -> Power:
        return Power.CONDITIONAL

    @property
    def keys(self) -> KeyRule:
        return KEYS

    def scan(self, keys: Collection[str]) -> Scan:
        return self.reader.scan(keys)

    def fetch(self, key: str) -> Record:
        return self.reader.fetch(key)

    def probe(self, key: str) -> None:
        """What is there is written again, which AWS takes and ignores; labels move to no version.

        For a secret that is not there yet, its registration has proved that we may make one.
        """
        try:
            self._check_state(key)
            held = self.reader.current(key)
            if held.text:
                self._version(key, held.text, held.version)
            moved = self._move(key, _NOBODY, _NOBODY)
        except SinkError as error:
            raise SinkRefused(error.message, hint=error.hint) from None
        if not moved.code:
            raise SinkRefused(f"{self.name} takes writes that it must refuse", hint="is it AWS?")

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        shape = self.reader.shape
        held = self._unchanged(key, stamp) if stamp else Held()
        if shape.is_removed(held):
            self._delete(held)
            held = Held()
        data = held.data if secret is None else {**held.data, shape.value: plain(secret)}
        self._write(key, to_text({**data, shape.receipt: receipt}), held.version)

    def save_registration(self, set_name: SetName, text: str) -> None:
        """Into the one secret of all registrations, over any other of this set."""
        for left in reversed(range(_TRIES)):
            try:
                held = _refusing(lambda: self.reader.current(REGISTRATIONS))
                data = {**held.data, set_name: text}
                self._write(REGISTRATIONS, to_text(data), held.version)
            except Changed:
                if not left:
                    raise
            else:
                return

    def erase(self, key: str, stamp: str) -> None:
        held = self._unchanged(key, stamp)
        others = self.reader.shape.others(held)
        left = to_text(others) if others else self.reader.shape.removed()
        self._replace(key, left, stamp)
        if not others:
            self._delete(held)

    def _check_state(self, key: str) -> None:
        about = self.reader.about(key).data
        if "DeletedDate" in about:
            raise SinkRefused(
                f"{self.name}:{key} is scheduled for deletion, and cannot be written until it is gone",
                hint=f"`aws secretsmanager restore-secret`, {_ANOTHER}",
            )
        if about.get("RotationEnabled"):
            raise SinkRefused(
                f"{self.name}:{key} is rotated by AWS, which would write over the token",
                hint=f"`aws secretsmanager cancel-rotate-secret`, {_ANOTHER}",
            )

    def _unchanged(self, key: str, version: str) -> Held:
        """The version that was seen; that it is current still is for the write to prove."""
        held = _refusing(lambda: self.reader.version(key, version))
        if not held.version:
            raise self._changed(key)
        return held

    def _write(self, key: str, text: str, version: str) -> None:
        """Make this the current value, if the current version is this one still.

        That it is current already is no change: an earlier try of ours came through.
        """
        name = name_of(text)
        if version:
            self._replace(key, text, version)
            return
        given = {
            "Name": self.reader.path(key),
            "ClientRequestToken": name,
            "SecretString": text,
            **self.creation,
        }
        send = self.reader.service.send
        if self._looked_into(key, name, lambda: send("create_secret", given, (_EXISTS,))).code:
            self._fill(key, text, name)
        self._await(key, name)

    def _fill(self, key: str, text: str, name: str) -> None:
        """The first version of a secret that has none becomes its current one by itself."""
        current = _refusing(lambda: self.reader.current(key)).version
        if not current and "AWSCURRENT" in self._version(key, text, name).data["VersionStages"]:
            return
        if current != name:
            raise self._changed(key)

    def _replace(self, key: str, text: str, version: str) -> None:
        name = name_of(text)
        if name == version:
            return
        with suppress(SinkUnsure):  # it is not current, and reading it back tells
            self._version(key, text, name)
        for pause in LAGS:
            if _refusing(lambda: self.reader.version(key, name)).text == text:
                break
            time.sleep(pause)
        else:
            raise SinkRefused(f"{self.name}:{key} does not give back what was written to it")
        moved = self._looked_into(key, name, lambda: self._move(key, name, version))
        if moved.code and not self._is_current(key, name):
            raise self._changed(key)
        self._await(key, name)

    def _looked_into(self, key: str, name: str, write: Callable[[], Said]) -> Said:
        """A write whose answer is lost has succeeded where its version is current."""
        try:
            return write()
        except SinkUnsure:
            if self._is_current(key, name):
                return Said()
            raise

    def _await(self, key: str, name: str) -> None:
        """What AWS took it may show a little later; who reads it back should find it."""
        for pause in LAGS:
            if self._is_current(key, name):
                return
            time.sleep(pause)

    def _is_current(self, key: str, version: str) -> bool:
        try:
            return self.reader.current(key).version == version
        except SinkError:
            return False

    def _version(self, key: str, text: str, name: str) -> Said:
        given = {
            "SecretId": self.reader.path(key),
            "ClientRequestToken": name,
            "SecretString": text,
            "VersionStages": ["AWSPENDING"],
        }
        return self.reader.service.send("put_secret_value", given)

    def _move(self, key: str, to: str, away_from: str) -> Said:
        given = {
            "SecretId": self.reader.path(key),
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": to,
            "RemoveFromVersionId": away_from,
        }
        return self.reader.service.send("update_secret_version_stage", given, _NOT_MOVED)

    def _delete(self, held: Held) -> None:
        given = {"SecretId": held.arn, "ForceDeleteWithoutRecovery": True}
        self.reader.service.send("delete_secret", given, (MISSING,))

    def _changed(self, key: str) -> Changed:
        return Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")


def build(options: Options, around: Surroundings) -> Sink:
    """The sink. Raises UsageError."""
    shape = Shape(str(options["value_field"]), str(options["receipt_field"]))
    if shape.value == shape.receipt:
        raise UsageError(
            "an aws-secretsmanager sink has one field for both the token and its receipt",
            hint="give `value_field` and `receipt_field` different names",
        )
    folder = str(options["path"])
    service = Service("secretsmanager", f"aws-secretsmanager {folder}", Account(options, around))
    creation = {**tags_of(options), **({"KmsKeyId": k} if (k := options.get("kms_key")) else {})}
    return RecordSink(SecretsStore(SecretsReader(service, folder, shape), creation))


def _refusing(look: Callable[[], Held]) -> Held:
    """Nothing is current of what was to be written, so a failed look is a refusal."""
    try:
        return look()
    except SinkUnread as error:
        raise SinkRefused(error.message, hint=error.hint) from None


TYPE = SinkType(keys=lambda _: KEYS, build=build, store=identity)
