"""One question to a program, one answer: how both look, and what a failure means.

A write that failed is *refused* only where the program says so by its exit code; all else is *unsure*.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure
from reconciler.program import Ended, NotStarted, Program, shown
from reconciler.sinks.receipt_text import Garbled, from_text
from reconciler.sinks.records import Changed

PROTOCOL: Final = "netbird-tokens.sink/v1"

Answer = Mapping[str, object]

_SMALL: Final = 64 << 10
_LARGE: Final = 16 << 20
_CHANGED: Final = {3: "not_found", 4: "conflict"}
_REFUSED: Final = {5: "denied", 6: "invalid", 64: "unsupported", 69: "unavailable"}
_CODES: Final[Mapping[int, str]] = {**_CHANGED, **_REFUSED, 75: "ambiguous"}
_MEANING: Final[Mapping[str, str]] = {
    "not_found": "it has nothing there",
    "conflict": "the place is not as expected",
    "denied": "it is not allowed to",
    "invalid": "its store cannot take this",
    "unsupported": "it does not know how",
    "unavailable": "its store was not reached",
    "ambiguous": "it does not know whether it was written",
}
_NOTHING: Final[Mapping[str, object]] = {}
_AGAIN: Final = "run the same command again: it looks before it writes"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, in words that can be shown.

    Attributes:
        status: The exit code, if it and the answer agree on what it means; else None.
    """

    why: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """A program that speaks the protocol.

    Attributes:
        params: What the config tells it.
    """

    program: Program
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"exec {self.program.argv[0]}"

    def look(self, op: str, said: Mapping[str, object] = _NOTHING) -> Answer:
        """Ask something that changes nothing. Raises SinkUnread."""
        try:
            answer = self._asked(op, said)
        except NotStarted as error:
            raise SinkUnread(error.message, hint="mend `command` in the config") from None
        if isinstance(answer, Failure):
            raise self.unread(f"{op} failed: {answer.why}")
        return answer

    def write(self, op: str, said: Mapping[str, object], secret: str = "") -> None:
        """Ask for a change; `secret` is what of it may not be shown.

        Raises Changed, SinkRefused or SinkUnsure.
        """
        try:
            answer = self._asked(op, said, secret)
        except NotStarted as error:
            raise SinkRefused(error.message, hint="mend `command` in the config") from None
        if isinstance(answer, Failure):
            raise self._failed(op, answer)

    def unread(self, why: str) -> SinkUnread:
        return SinkUnread(f"{self.name}: {why}", hint="`netbird-tokens doctor` asks it again")

    def unlike(self, why: str) -> SinkUnread:
        """The error for an answer that does not follow the protocol: who reads it only guesses."""
        hint = f"mend the program after {PROTOCOL}; `netbird-tokens doctor` asks it again"
        return SinkUnread(f"{self.name}: {why}", hint=hint)

    def _failed(self, op: str, failure: Failure) -> SinkError:
        text = f"{self.name}: {op} failed: {failure.why}"
        if failure.status in _CHANGED:
            return Changed(text, hint="plan again")
        if failure.status in _REFUSED:
            return SinkRefused(
                text, hint="mend what it says; `netbird-tokens doctor` asks it again"
            )
        return SinkUnsure(text, hint=_AGAIN)

    def _asked(self, op: str, said: Mapping[str, object], secret: str = "") -> Answer | Failure:
        program = replace(self.program, limit=_LARGE if op == "list" else _SMALL)
        question = {
            "protocol": PROTOCOL,
            "op": op,
            "request_id": uuid.uuid4().hex,
            "deadline_ms": round(program.timeout * 1000),
            "params": self.params,
            **said,
        }
        return _understood(program.run(given=f"{json.dumps(question)}\n".encode()), secret)


def _understood(ended: Ended, secret: str) -> Answer | Failure:
    try:
        answer, fault = _object(ended.out), ""
    except Garbled as garbled:
        answer, fault = _NOTHING, f": {garbled}"
    error = answer.get("error")
    said = error if isinstance(error, dict) else {}
    if ended.status == 0:
        if answer.get("ok") is True:
            return answer
        return Failure(f"it ended well, and its answer does not say so{fault}")
    code = _CODES.get(ended.status or 0)
    if code is None or said.get("code") != code or answer.get("ok") is not False:
        return Failure(
            ended.told(secret)
        )  # a shell or a tool within it may end so, whatever was done
    message = said.get("message")
    if isinstance(message, str) and message.strip():
        return Failure(shown(" ".join(message.split())[:500], secret), ended.status)
    return Failure(f"{_MEANING[code]} ({ended.told(secret)})", ended.status)


def _object(out: bytes) -> Answer:
    """The one object of an answer. Raises Garbled."""
    try:
        found = from_text(out.decode())
    except UnicodeDecodeError:
        raise Garbled("it is no text") from None
    if isinstance(found, dict):
        return found
    raise Garbled("it is not an object")
