"""What goes wrong on demand, before or after the server acts: the proxy, the network, other actors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal, assert_never

from reconciler.emulator import wire
from reconciler.emulator.exchange import Answer, Delivery


@dataclass(frozen=True, slots=True)
class Status:
    """A JSON error of the server."""

    code: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Html:
    """The error page of a proxy in front of the server."""

    code: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Half of the body arrives, then the connection closes."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """302 to another place."""

    url: str


@dataclass(frozen=True, slots=True)
class Delay:
    """The request takes so much longer, in seconds of real time, and then goes on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing comes for so many seconds of real time, then the connection closes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Any answer at all."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """Something else happens meanwhile (another actor moves, a process dies); the request goes on."""

    function: Callable[[], object]


Action = Status | Html | Drop | Truncate | Redirect | Delay | Hang | Raw | Call


@dataclass(frozen=True, slots=True)
class Fault:
    """When and to which requests an action happens.

    Attributes:
        path: A pattern for the decoded path without query; `*` matches slashes, too.
        when: `before`: the request has no effect. `after`: it had its effect.
        skip: So many matching requests pass unharmed first.
        times: So many are hit then; None: all.
    """

    action: Action
    method: str = "*"
    path: str = "*"
    when: Literal["before", "after"] = "before"
    skip: int = 0
    times: int | None = 1

    def matches(self, method: str, path: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)

    def hits(self, number: int) -> bool:
        """Whether the matching request of this number (from 0) is hit."""
        return number >= self.skip and (self.times is None or number < self.skip + self.times)


class Faults:
    """The faults that are lying in wait, each with its own count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._seen: list[int] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)
            self._seen.append(0)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()
            self._seen.clear()

    def take(self, method: str, path: str) -> tuple[Fault, ...]:
        """The faults that hit this request; counts it for all that match."""
        hits = []
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.matches(method, path):
                    if fault.hits(self._seen[index]):
                        hits.append(fault)
                    self._seen[index] += 1
        return tuple(hits)


def happen(action: Action, answer: Answer | None) -> Answer | None:
    """Let it happen. `answer` is the server's, None while it has not acted.

    Returns what the client gets; None lets the request go on to the server.
    """
    match action:
        case Delay(seconds):
            time.sleep(seconds)
            return answer
        case Call(function):
            function()
            return answer
        case Drop() | Hang() | Truncate():
            return _cut(action, answer)
        case Status() | Html() | Redirect() | Raw():
            return _reply(action)
        case _:
            assert_never(action)


def _cut(action: Drop | Hang | Truncate, answer: Answer | None) -> Answer:
    if isinstance(action, Truncate):
        whole = answer or Answer(200, wire.encode({"message": "cut"}), wire.JSON_HEADERS)
        return replace(whole, delivery=Delivery.HALF)
    if isinstance(action, Hang):
        time.sleep(action.seconds)
    return Answer(0, delivery=Delivery.NOTHING)


def _reply(action: Status | Html | Redirect | Raw) -> Answer:
    match action:
        case Status(code, message, headers):
            body = wire.encode({"message": message, "code": code})
            return Answer(code, body, {**wire.JSON_HEADERS, **headers})
        case Html(code):
            page = f"<html><head><title>{code} Error</title></head><body>nginx</body></html>\n"
            return Answer(code, page.encode(), {"Content-Type": "text/html"})
        case Redirect(url):
            return Answer(302, headers={"Location": url})
        case Raw(status, content_type, body):
            return Answer(status, body, {"Content-Type": content_type})
        case _:
            assert_never(action)
