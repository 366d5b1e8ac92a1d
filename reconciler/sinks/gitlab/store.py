"""Writing CI/CD variables, each with its receipt in the description: one write, and the last writer wins.

Only a new variable is conditional: GitLab does not make one that is there already. Of a hidden variable
nobody can read the value again, so its receipt is taken at its word; see `examples/sinks/gitlab.yaml`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, SinkUnsure
from reconciler.http import Answer, Json
from reconciler.sinks.compact import Room, compact
from reconciler.sinks.conditions import nothing_written, plain
from reconciler.sinks.gitlab.reader import (
    KEYS,
    REGISTRATION,
    GitlabReader,
    as_record,
    is_no_variable,
    is_registration,
)
from reconciler.sinks.records import NOTHING, Changed, Record, Scan
from reconciler.sinks.registrations import variable_of
from reconciler.sinks.rest import Rest

_NO_KEY: Final = "!"
"""No variable can have this name, so GitLab refuses it, after it has asked whether we may write at all."""
ROOM: Final = Room("GitLab's", 255)
_TAKEN: Final = "has already been taken"


@dataclass(frozen=True, slots=True)
class Manner:
    """How variables are made; what an option of the config says stands for existing ones, too."""

    masked: bool
    protected: bool
    hidden: bool

    @property
    def of_any(self) -> dict[str, object]:
        return {
            "variable_type": "env_var",
            "raw": True,
            "masked": self.masked or self.hidden,
            "protected": self.protected,
        }

    @property
    def of_new(self) -> dict[str, object]:
        """GitLab hides a variable when it is made, or never."""
        return {**self.of_any, **({"masked_and_hidden": True} if self.hidden else {})}


@dataclass(frozen=True, slots=True)
class GitlabStore:
    """One environment scope of a project or a group.

    Attributes:
        reader: Sees the same place.
        writes: Can write below that project or group, and nowhere else.
    """

    reader: GitlabReader
    writes: Rest
    manner: Manner

    @property
    def name(self) -> str:
        return self.writes.name

    @property
    def power(self) -> Power:
        return Power.WRITE_ONLY if self.manner.hidden else Power.UNCONDITIONAL

    @property
    def keys(self) -> KeyRule:
        return KEYS

    def scan(self, keys: Collection[str]) -> Scan:
        return self.reader.scan(keys)

    def fetch(self, key: str) -> Record:
        entry = self.reader.entry(key)
        return NOTHING if entry is None else as_record(entry)

    def probe(self, key: str) -> None:
        with nothing_written():
            entry = self.reader.entry(key)
            answer = self.writes.send("POST", "variables", {"key": _NO_KEY, "value": _NO_KEY})
        if answer.status != HTTPStatus.BAD_REQUEST:
            raise self._refused(answer)
        if entry is not None and bool(entry.get("hidden")) != self.manner.hidden:
            raise SinkRefused(
                f"{self.name}:{key} is {'visible' if self.manner.hidden else 'hidden'},"
                " and GitLab cannot change that",
                hint="remove the variable there, or change `hidden` in the config",
            )

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        body: dict[str, object] = {"description": compact(receipt, ROOM)}
        if secret is not None:
            is_new = not stamp
            body |= {
                "value": plain(secret),
                **(self.manner.of_new if is_new else self.manner.of_any),
            }
            if is_new:
                self._make(key, body)
                return
        path = self.reader.path(key)
        answer = self.writes.send(
            "PUT", path, body, still=lambda: self._check_unchanged(key, stamp)
        )
        if is_no_variable(answer):
            raise Changed(f"{self.name}:{key} is gone since we looked", hint="plan again")
        self._check(answer, body)

    def save_registration(self, set_name: SetName, text: str) -> None:
        body: dict[str, object] = {
            "value": text,
            "description": REGISTRATION,
            **Manner(masked=False, protected=True, hidden=False).of_any,
        }
        name = variable_of(set_name)
        with nothing_written():
            held = self.reader.entry(name)
        if held is not None and not is_registration(held):
            text = f"{self.name}:{name} is there, and is no registration that we can read"
            raise SinkRefused(
                text, hint="rename or remove it by hand, or give the set another name"
            )
        answer = self.writes.send("PUT", self.reader.path(name), body)
        if is_no_variable(answer):
            self._make(name, body)
        else:
            self._check(answer, body)

    def erase(self, key: str, stamp: str) -> None:
        path = self.reader.path(key)
        answer = self.writes.send("DELETE", path, still=lambda: self._check_unchanged(key, stamp))
        if answer.status != HTTPStatus.NO_CONTENT and not is_no_variable(answer):
            raise self._refused(answer)

    def _check_unchanged(self, key: str, stamp: str) -> None:
        """After a wait; a failed look is a refusal, since GitLab has refused what was sent before."""
        with nothing_written():
            found = self.fetch(key)
        if found.stamp != stamp:
            raise Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")

    def _make(self, key: str, body: dict[str, object]) -> None:
        whole = {"key": key, "environment_scope": self.reader.scope, **body}
        answer = self.writes.send("POST", "variables", whole)
        if answer.status == HTTPStatus.BAD_REQUEST and _TAKEN in (answer.message or ""):
            raise Changed(f"{self.name}:{key} was made since we looked", hint="plan again")
        self._check(answer, body)

    def _check(self, answer: Answer, sent: dict[str, object]) -> None:
        """Whether GitLab did all of it: an older one, or a smaller plan, leaves out what it cannot do."""
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise self._refused(answer)
        match answer.content:
            case Json(dict(made)):
                pass
            case _:
                made = {}
        scope = made.get("environment_scope", "*")
        lacks = ""
        if scope != self.reader.scope:
            lacks = f"under the environment scope {scope}: groups have scopes in paid plans only"
        elif made.get("description") != sent["description"]:
            lacks = "without a description: it must be GitLab 16.2 or newer"
        elif sent.get("masked_and_hidden") and not made.get("hidden"):
            lacks = "for all maintainers to see: only GitLab 17.4 and newer can hide it"
        if lacks:
            raise SinkUnsure(f"{self.name} took it {lacks}", hint="remove it there by hand")

    def _refused(self, answer: Answer) -> SinkRefused:
        error = self.writes.refused(answer)
        return SinkRefused(error.message, hint=error.hint or self.writes.advice)
