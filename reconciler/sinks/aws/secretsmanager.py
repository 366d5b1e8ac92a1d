"""The `aws-secretsmanager` sink type: compare-and-set on versions (`versions`), read in bulk (`secrets`).

What is removed: AWSCURRENT goes to a version that says so, compared as in every write; then the secret is
deleted by its ARN, which a secret that somebody makes under the same name meanwhile does not have. AWS cannot
delete on a condition. So it is given a week, in which nothing of it is lost; and if somebody has written over
our version meanwhile, the secret is brought back at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, UsageError
from reconciler.sinks import Options, SinkType
from reconciler.sinks.aws.account import Account, identity, tags_of
from reconciler.sinks.aws.calls import Service
from reconciler.sinks.aws.known import proof
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
from reconciler.sinks.aws.versions import Versions
from reconciler.sinks.conditions import nothing_written, partly_written, plain
from reconciler.sinks.records import Changed, Record, RecordSink, Scan
from reconciler.surroundings import Surroundings

_NOBODY: Final = name_of("no version has this name")
_TRIES: Final = 5
_WEEK: Final = 7
"""Days; AWS gives no shorter time."""
_ANOTHER: Final = "or give the entry another key"


@dataclass(frozen=True, slots=True)
class SecretsStore:
    """All secrets below one path."""

    reader: SecretsReader
    versions: Versions

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
        with nothing_written():
            self._check_state(key)
            held = self.reader.current(key)
            if self.reader.shape.is_removed(held):
                self._bring_back(held.arn)
            if held.text:
                self.versions.pend(key, held.text, held.version)
            moved = self.versions.move(key, _NOBODY, _NOBODY)
        if not moved.code:
            raise SinkRefused(f"{self.name} takes writes that it must refuse", hint="is it AWS?")

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        shape = self.reader.shape
        if stamp == name_of(shape.removed()):
            with nothing_written():  # of this token
                self._bring_back(self.reader.path(key))
        held = self._unchanged(key, stamp) if stamp else Held()
        data = held.data if secret is None else {**held.data, shape.value: plain(secret)}
        self.versions.write(key, to_text({**data, shape.receipt: receipt}), held.version)

    def save_registration(self, set_name: SetName, text: str) -> None:
        """Into the one secret of all registrations, over any other of this set."""
        for left in reversed(range(_TRIES)):
            try:
                with nothing_written():
                    held, _ = self.reader.registrations()
                data = {**held.data, set_name: text}
                self.versions.write(REGISTRATIONS, to_text(data), held.version)
            except Changed:
                if not left:
                    raise
            else:
                return

    def erase(self, key: str, stamp: str) -> None:
        held = self._unchanged(key, stamp)
        others = self.reader.shape.others(held)
        if others:
            self.versions.replace(key, to_text(others), stamp, str(uuid.uuid4()))
            return
        self.versions.replace(key, self.reader.shape.removed(), stamp)
        with partly_written("the token was removed, and the empty secret may still be there"):
            self._delete(held)

    def _check_state(self, key: str) -> None:
        about = self.reader.about(self.reader.path(key))
        if self.reader.is_scheduled(about) and not self.reader.is_removed(about):
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
        with nothing_written():
            held = self.reader.version(key, version)
        if not held.version:
            raise self.versions.changed(key)
        return held

    def _delete(self, held: Held) -> None:
        """In a week; unless it turns out that somebody has a value there now."""
        given = {"SecretId": held.arn, "RecoveryWindowInDays": _WEEK}
        if self.reader.service.send("delete_secret", given, (MISSING, INVALID)).code:
            return  # it went, or is going, already
        if not self.reader.is_removed(self.reader.about(held.arn)):
            self._bring_back(held.arn)

    def _bring_back(self, secret: str) -> None:
        """So that it is not deleted; one that is not going to be stays as it is."""
        self.reader.service.send("restore_secret", {"SecretId": secret}, (MISSING, INVALID))


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
    reader = SecretsReader(service, folder, shape)
    return RecordSink(SecretsStore(reader, Versions(reader, creation)))


TYPE = SinkType(
    keys=lambda options: KEYS.below(str(options["path"])),
    build=build,
    store=identity,
    proof=proof("secretsmanager"),
)
