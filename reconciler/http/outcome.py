"""What became of one HTTP request: an answer, or a failure that knows how far it came.

How far carries everything else: a write that never left is harmless, one that may have arrived must
never be sent again (DESIGN §5). On doubt it has arrived.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from http.client import HTTPException, RemoteDisconnected
from typing import Final

from requests import RequestException
from urllib3.exceptions import (
    ConnectTimeoutError,
    IncompleteRead,
    NewConnectionError,
    ReadTimeoutError,
)

from reconciler.core.secret import hide_tokens

_KEPT_TEXT: Final = 4096
_WORDS: Final = {
    IncompleteRead: "the answer broke off",
    RemoteDisconnected: "the connection was closed without an answer",
    ReadTimeoutError: "no answer in time",
    HTTPException: "the answer is no HTTP",  # its text quotes the answer, wherever that broke
}


@dataclass(frozen=True, slots=True)
class Json:
    """A body that is JSON. Not shown: the one of a create holds the secret."""

    value: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """The beginning of a body that is not JSON; `claims_json` if its content type says it is."""

    text: str = field(repr=False)
    claims_json: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are matched in any case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: Json | Text

    @property
    def is_redirect(self) -> bool:
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST

    @property
    def is_trouble(self) -> bool:
        """The server, or a proxy before it, broke down: how far the request got, nobody knows."""
        broken = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return broken or self.status == HTTPStatus.REQUEST_TIMEOUT

    @property
    def date(self) -> datetime | None:
        """When it was given, by the clock of the server; None if that cannot be read."""
        return _instant(self.headers.get("Date", ""))

    @property
    def retry_after(self) -> float:
        """Seconds that it asks for, as a number or as a date by its own clock; 0 without."""
        wanted = self.headers.get("Retry-After", "").strip()
        if wanted.isascii() and wanted.isdigit():
            return float(wanted[:9])
        until, now = _instant(wanted), self.date
        return max((until - now).total_seconds(), 0.0) if until and now else 0.0

    @property
    def message(self) -> str | None:
        """What a JSON error says, in the ways of NetBird, Vault, GitHub and GitLab; None without one."""
        match self.content:
            case Json({"message": str(message)}) | Json({"errors": [str(message), *_]}):
                return message
            case Json({"error_description": str(message)}) | Json({"error": str(message)}):
                return message
            case Json({"message": dict(fields)}):
                return "; ".join(f"{name} {_first(said)}" for name, said in fields.items())
            case _:
                return None


class Stage(Enum):
    """How far a request came that got no whole answer."""

    UNTRUSTED = "the other side could not be trusted: nothing was sent, and nothing will be"
    UNSIGNED = "we have nothing to sign in with: nothing was sent, and nothing will be"
    UNSENT = "no connection: nothing was sent"
    LOST = "it may have been received"
    TOO_LARGE = "it was answered, with more than we read"


@dataclass(frozen=True, slots=True)
class Failure:
    """No whole answer; `reason` is fit to be printed."""

    stage: Stage
    reason: str


Outcome = Answer | Failure


def proves_nothing(outcome: Outcome) -> bool:
    """Whether a request may have been carried out or not, for all that came of it."""
    if isinstance(outcome, Answer):
        return outcome.is_trouble
    return outcome.stage in (Stage.LOST, Stage.TOO_LARGE)


def content_of(body: bytes, content_type: str) -> Json | Text:
    """The body as JSON if it is JSON. No exception leaves here: its text could hold the body."""
    try:
        return Json(json.loads(body.decode("utf-8")))
    except (ValueError, RecursionError):
        text = body[:_KEPT_TEXT].decode("utf-8", errors="replace")
        return Text(text, claims_json="json" in content_type.lower())


def failure_of(error: Exception) -> Failure:
    """Judge an exception of requests, urllib3 or the socket below.

    The class that requests chooses is not enough: its ProxyError also covers a request that went
    through a proxy in full and then lost its answer. What counts is the cause inside.
    """
    causes = tuple(_causes(error))
    reason = _reason(causes)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Failure(Stage.UNTRUSTED, reason)
    if any(isinstance(cause, (NewConnectionError, ConnectTimeoutError)) for cause in causes):
        return Failure(Stage.UNSENT, reason)
    if _is_refused_tunnel(causes[-1]):
        return Failure(Stage.UNSENT, reason)
    return Failure(Stage.LOST, reason)


def printable(text: str, limit: int = 160) -> str:
    """Foreign text on one line: tokens hidden, control characters escaped, capped."""
    words = " ".join(hide_tokens(text).split())
    shown = words if len(words) <= limit else words[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _first(said: object) -> object:
    return said[0] if isinstance(said, list) and said else said


def _instant(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return None if moment.tzinfo is None else moment


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything wrapped in it, outermost first."""
    yield error
    wrapped = (getattr(error, "reason", None), getattr(error, "original_error", None), *error.args)
    for cause in wrapped:
        if isinstance(cause, BaseException):
            yield from _causes(cause)


def _is_refused_tunnel(cause: BaseException) -> bool:
    """Whether a proxy declined to connect us, in the words of http.client: it has no type."""
    return str(cause).startswith("Tunnel connection failed")


def _reason(causes: tuple[BaseException, ...]) -> str:
    """What went wrong at the bottom; quotes the system, never an answer or a URL with a password."""
    root = causes[-1]
    for kind, words in _WORDS.items():
        if isinstance(root, kind):
            return words
    if isinstance(root, (OSError, ConnectTimeoutError)) and not isinstance(root, RequestException):
        return printable(str(root))
    return type(root).__name__
