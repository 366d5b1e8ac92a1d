"""The `exec` sink type: a program of the operator's own keeps the tokens (PROTOCOL.md beside this file)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final, cast

from reconciler.core.keys import PATH_KEYS, KeyRule
from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.program import Program, seen_by_child, shown
from reconciler.sinks import Identity, Options, SinkType
from reconciler.sinks.conditions import nothing_written, plain
from reconciler.sinks.exec.talk import Answer, Talk
from reconciler.sinks.receipt_text import Found
from reconciler.sinks.records import NOTHING, Record, RecordSink, Scan
from reconciler.surroundings import Surroundings

_TIMEOUT: Final = 60


class ExecStore:
    """What one program keeps."""

    def __init__(self, talk: Talk, keys: KeyRule) -> None:
        self._talk = talk
        self._keys = keys

    @property
    def name(self) -> str:
        return self._talk.name

    @property
    def power(self) -> Power:
        return self._power

    @property
    def keys(self) -> KeyRule:
        return self._keys

    def scan(self, keys: Collection[str]) -> Scan:
        answer = self._talk.look("list", {"refs": sorted(keys)})
        records, registrations = answer.get("records"), answer.get("registrations")
        if not isinstance(records, dict) or not isinstance(registrations, dict):
            raise self._talk.unlike("its list has no `records`, or no `registrations`")
        if not all(isinstance(text, str) for text in registrations.values()):
            raise self._talk.unlike("it lists a registration that is no text")
        found: dict[str, Record | Unread] = {key: self._silent_about(key) for key in keys}
        for ref, record in records.items():
            found[ref] = self._listed(ref, record)
            self._check_listed(ref, found[ref], keys)
        return Scan(found, {SetName(name): text for name, text in registrations.items()})

    def fetch(self, key: str) -> Record:
        return self._record(key, self._talk.look("stat", {"ref": key}))

    def probe(self, key: str) -> None:
        """Whatever becomes of these questions, nothing was written."""
        with nothing_written():
            _ = self.power
            self._talk.look("check", {"ref": key})

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        said = {"ref": key, "meta": receipt, "expect": _expected(stamp)}
        if secret is None:
            self._talk.write("amend", said)
            return
        value = plain(secret)
        self._talk.write("put", {**said, "secret": {"value": value}}, value)

    def save_registration(self, set_name: SetName, text: str) -> None:
        self._talk.write("register", {"set": set_name, "meta": text})

    def erase(self, key: str, stamp: str) -> None:
        self._talk.write("delete", {"ref": key, "expect": _expected(stamp)})

    @cached_property
    def _power(self) -> Power:
        said = self._talk.look("capabilities").get("capabilities")
        if not isinstance(said, dict):
            raise self._talk.unlike("it does not say what it can do")
        if said.get("atomic") is not True:
            return Power.WRITE_ONLY
        return Power.CONDITIONAL if said.get("cas") is True else Power.UNCONDITIONAL

    def _silent_about(self, key: str) -> Unread:
        """Nobody has looked there, as far as we know: that is not said by saying nothing."""
        error = self._talk.unlike(f"its list leaves out {key}, and does not say that it is absent")
        return Unread(f"{error.message}; {error.hint}")

    def _check_listed(self, ref: str, record: Record | Unread, keys: Collection[str]) -> None:
        """A ref that is another one than was meant hides what is there. Raises SinkUnread."""
        if ref in keys:
            return
        if not self._keys.accepts(ref):
            raise self._talk.unlike(f"it lists {_said(ref)}, which is no key: {self._keys.advice}")
        if isinstance(record, Record) and record.found.receipt is None:
            why = "which was not asked for and has no `meta`"
            raise self._talk.unlike(f"it lists {_said(ref)}, {why}")

    def _listed(self, ref: str, record: object) -> Record | Unread:
        match record:
            case {"state": "unread", "why": str(why)}:
                return Unread(shown(why))
            case dict():
                return self._record(ref, record)
            case _:
                raise self._talk.unlike(f"what it lists as {_said(ref)} is no record")

    def _record(self, ref: str, said: Answer) -> Record:
        match said:
            case {"state": "absent"} if said.get("meta") is None and said.get("value") is None:
                return NOTHING
            case {"state": "present"}:
                return self._present(ref, said)
            case _:
                raise self._talk.unlike(f"its record of {_said(ref)} is neither absent nor present")

    def _present(self, ref: str, said: Answer) -> Record:
        meta, value, bound = said.get("meta"), said.get("value"), said.get("bound")
        version, its = said.get("version"), f"its record of {_said(ref)} has"
        if not isinstance(version, str) or not version:
            raise self._talk.unlike(f"{its} no `version` that is a text")
        if not (meta is None or isinstance(meta, str)):
            raise self._talk.unlike(f"{its} a `meta` that is no text")
        if isinstance(value, str):
            return Record(Found(meta, Secret(value)), version)
        if value is None and isinstance(bound, bool):
            return Record(Found(meta, bound=bound), version)
        raise self._talk.unlike(f"{its} neither a `value` nor `bound`")


def key_rule(options: Options) -> KeyRule:
    return replace(PATH_KEYS, nests=False, folds_case=options.get("folds_case") is True)


def build(options: Options, around: Surroundings) -> Sink:
    """The sink. The program is not run before it is asked something."""
    first, *rest = cast("list[str]", options["command"])
    base = around.base.resolve()
    program = Program(
        (str(base / first) if "/" in first else first, *rest),
        seen_by_child(around, options),
        base,
        cast("int", options.get("timeout", _TIMEOUT)),
    )
    params = cast("Mapping[str, object]", options.get("params", {}))
    return RecordSink(ExecStore(Talk(program, params), key_rule(options)))


def store(options: Options, around: Surroundings) -> Identity:
    """What the program is called with; where it keeps things, only it knows."""
    first, *rest = cast("list[str]", options["command"])
    resolved = str((around.base / first).resolve()) if "/" in first else first
    return (resolved, *rest, repr(options.get("params")))


def _said(ref: str) -> str:
    """Of a program: whatever it calls a ref."""
    return repr(shown(ref)[:200])


def _expected(stamp: str) -> dict[str, str]:
    return {"state": "present", "version": stamp} if stamp else {"state": "absent"}


TYPE = SinkType(keys=key_rule, build=build, store=store)
