"""The `aws-ssm` sink type: one SecureString per key, nothing but the token in it.

The receipt is its description, which AWS sets in the same step as the value. An overwrite is
unconditional, so the last writer wins; every state has a version, by which a change since the plan is seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks import Options, SinkType
from reconciler.sinks.aws.account import Account, identity, tags_of
from reconciler.sinks.aws.calls import Said, Service
from reconciler.sinks.aws.parameters import KEYS, MISSING, REGISTRATIONS, Held, ParameterReader
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
        held = self._unchanged(key, stamp) if stamp else None
        given = {**self._secure, "Description": compact(receipt, ROOM)}
        if held is None and secret is not None:
            if self._make(key, {**given, "Value": plain(secret)}, (_EXISTS,)).code:
                self._fail_changed(key)
        elif secret is not None:
            self._put(key, {**given, "Value": plain(secret)})
        elif held is not None:
            self._keep(key, {**given, "Value": held.value}, held)

    def save_registration(self, set_name: SetName, text: str) -> None:
        given = {"Type": "String", "Value": text}
        if self._make(REGISTRATIONS + set_name, given, (_EXISTS,)).code:
            self._put(REGISTRATIONS + set_name, given)

    def erase(self, key: str, stamp: str) -> None:
        self._unchanged(key, stamp)
        self._remove(key)

    @property
    def _secure(self) -> dict[str, object]:
        return {"Type": "SecureString", **self.always}

    def _unchanged(self, key: str, stamp: str) -> Held:
        """What is there, if it is what was seen. A failed look is a refusal: nothing was written yet."""
        with nothing_written():
            held = self.reader.value(key)
        if held is None or held.stamp != stamp:
            self._fail_changed(key)
        return held

    def _keep(self, key: str, given: Mapping[str, object], held: Held) -> None:
        """Write a value that stood there again, unless somebody wrote another one just now.

        Theirs is given back then: ours may be a token that they are about to revoke.
        """
        before = int(self._put(key, given).data["Version"]) - 1
        if before == held.version:
            return
        try:
            theirs = self.reader.earlier(key, before)
            if theirs is None:
                raise SinkUnsure(f"{self.name}:{key}: what stood there before is in no history yet")
            fields = ("Type", "Value", "Description")
            self._put(key, {**self.always, **{f: theirs[f] for f in fields if f in theirs}})
        except (SinkUnread, SinkRefused) as error:  # ours stands there: nothing of it is refused
            raise SinkUnsure(error.message, hint=error.hint) from None
        self._fail_changed(key)

    def _make(self, key: str, given: Mapping[str, object], ready_for: Collection[str]) -> Said:
        """A parameter that is not there yet."""
        whole = {"Name": self.reader.path(key), "Overwrite": False, **self.tags, **given}
        return self.reader.service.send("put_parameter", whole, ready_for)

    def _put(self, key: str, given: Mapping[str, object]) -> Said:
        whole = {"Name": self.reader.path(key), "Overwrite": True, **given}
        return self.reader.service.send("put_parameter", whole)

    def _remove(self, key: str) -> None:
        given = {"Name": self.reader.path(key)}
        self.reader.service.send("delete_parameter", given, (MISSING,))

    def _fail_changed(self, key: str) -> NoReturn:
        raise Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")


def build(options: Options, around: Surroundings) -> Sink:
    """The sink. Raises UsageError."""
    folder = str(options["path"])
    service = Service("ssm", f"aws-ssm /{folder}", Account(options, around))
    key = {"KeyId": options["kms_key"]} if "kms_key" in options else {}
    reader = ParameterReader(service, folder)
    return RecordSink(ParameterStore(reader, {"Tier": options["tier"], **key}, tags_of(options)))


TYPE = SinkType(keys=lambda _: KEYS, build=build, store=identity)
