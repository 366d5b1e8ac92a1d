"""Making a version of a secret current, if the one before is current still.

A version never changes, and its name is made of its content, so a write that is sent twice is one. It
begins as AWSPENDING, is read back, and then AWSCURRENT moves to it from the version that was seen, or not at
all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks.aws.calls import LAGS, Said
from reconciler.sinks.aws.secrets import INVALID, MISSING, SecretsReader, name_of
from reconciler.sinks.conditions import nothing_written
from reconciler.sinks.records import Changed

_EXISTS: Final = "ResourceExistsException"
_NOT_MOVED: Final = (MISSING, INVALID, "InvalidParameterException")


@dataclass(frozen=True, slots=True)
class Versions:
    """What changes the secrets below one path.

    Attributes:
        creation: What a new secret is given besides its value: KMS key, tags.
    """

    reader: SecretsReader
    creation: Mapping[str, object]

    def write(self, key: str, text: str, version: str) -> None:
        """Make this the current value, if the current version is this one still.

        That it is current already is no change: an earlier try of ours came through.
        """
        name = name_of(text)
        if version:
            self.replace(key, text, version)
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

    def replace(self, key: str, text: str, version: str, name: str = "") -> None:
        """As `write`, of a secret that has this version.

        `name` is that of the new one, for content without a token: everybody who may list versions
        could try guesses of it against a name that is made of it.
        """
        name = name or name_of(text)
        if name == version:
            return
        with suppress(SinkUnsure):  # it is not current, and reading it back tells
            self.pend(key, text, name)
        for pause in LAGS:
            with nothing_written():
                given_back = self.reader.version(key, name)
            if given_back.text == text:
                break
            time.sleep(pause)
        else:
            raise SinkRefused(f"{self._place(key)} does not give back what was written to it")
        moved = self._looked_into(key, name, lambda: self.move(key, name, version))
        if moved.code and not self._is_current(key, name):
            raise self.changed(key)
        self._await(key, name)

    def pend(self, key: str, text: str, name: str) -> Said:
        """Make a version that is not current; nothing happens if there is this very one."""
        given = {
            "SecretId": self.reader.path(key),
            "ClientRequestToken": name,
            "SecretString": text,
            "VersionStages": ["AWSPENDING"],
        }
        return self.reader.service.send("put_secret_value", given)

    def move(self, key: str, to: str, away_from: str) -> Said:
        """Move AWSCURRENT; a code says that it stayed where it was."""
        given = {
            "SecretId": self.reader.path(key),
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": to,
            "RemoveFromVersionId": away_from,
        }
        return self.reader.service.send("update_secret_version_stage", given, _NOT_MOVED)

    def changed(self, key: str) -> Changed:
        return Changed(f"{self._place(key)} changed meanwhile", hint="plan again")

    def _fill(self, key: str, text: str, name: str) -> None:
        """The first version of a secret that has none becomes its current one by itself."""
        with nothing_written():
            current = self.reader.current(key).version
        if not current:
            stages = self.pend(key, text, name).data.get("VersionStages", ())
            self._await(key, name)
            current = name if "AWSCURRENT" in stages else self._shown(key)
        if current != name:
            raise self.changed(key)

    def _shown(self, key: str) -> str:
        """The current version, after a write that may have made it."""
        with suppress(SinkUnread):
            current = self.reader.current(key).version
            if current:
                return current
        raise SinkUnsure(f"{self._place(key)} does not show what was written to it")

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

    def _place(self, key: str) -> str:
        return f"{self.reader.service.name}:{key}"
