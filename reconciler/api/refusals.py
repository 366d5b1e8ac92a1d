"""Which error an answer is, in whose words, and what to try: netbird-api.md §3, and what proxies add.

After a create nothing of the answer is quoted but the server's own known phrases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, assert_never
from urllib.parse import urlsplit

from reconciler.api import wire
from reconciler.errors import (
    ApiError,
    BadAnswer,
    Forbidden,
    Gone,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from reconciler.http import Answer, Json, Text, printable

_EXPIRED: Final = "the credential has expired or was mistyped: make a new one and set NB_PAT"
_REVOKED: Final = "the credential was revoked, or is another server's: make a new one, set NB_PAT"
_ROLE: Final = "our credential's role may not do this: use a service user with the role admin"
_BLOCKED: Final = "unblock the user that our credential belongs to"
_SLOWER: Final = "run less often, or raise NB_API_RATE_LIMITING_RPM on a server of your own"
_TROUBLE: Final = "the server, or a proxy in front of it, is in trouble: try again later"
_INVALID: Final = "failed to validate user permissions: "

_HINTS: Final = {
    "admin role required to perform this action": "give our credential's user the admin role; "
    "even an admin can manage only its own tokens and those of service users",
    "permission denied": _ROLE,
    "user is blocked": _BLOCKED,
    f"{_INVALID}user is blocked": _BLOCKED,
    f"{_INVALID}user is pending approval": "approve the user that our credential belongs to",
    f"{_INVALID}user role: billing_admin not found": "the role billing_admin cannot manage "
    "tokens: use a service user with the role admin",
    f"{_INVALID}user is not part of this account": "the credential is for another account",
    "token invalid": _EXPIRED,
    "no valid authentication provided": "does a proxy drop the Authorization header?",
    "token name can't be empty": "give the token a name",
    "expiration has to be between 1 and 365": "a token lives 1 to 365 days",
    "couldn't parse JSON request": "does a proxy change requests?",
    "too many requests": _SLOWER,
}
"""The server's phrases that may be quoted after a create, each with what to try."""

_REFUSED: Final = "sending it again would not help: change what was asked, by what the server says"
_KINDS: Final[dict[int, tuple[type[ApiError], str]]] = {
    HTTPStatus.UNAUTHORIZED: (Unauthenticated, _EXPIRED),
    HTTPStatus.FORBIDDEN: (Forbidden, _ROLE),
    HTTPStatus.TOO_MANY_REQUESTS: (Unavailable, _SLOWER),
    HTTPStatus.BAD_REQUEST: (Rejected, _REFUSED),
    HTTPStatus.CONFLICT: (Rejected, _REFUSED),
    HTTPStatus.PRECONDITION_FAILED: (Rejected, _REFUSED),
    HTTPStatus.UNPROCESSABLE_ENTITY: (Rejected, _REFUSED),
}
_CLEAR_WITHOUT_WORDS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
_SOME_TOKEN: Final = re.compile(r"pat: \S+ not found")
_UNKNOWN_CREDENTIAL: Final = "invalid token:"


@dataclass(frozen=True, slots=True)
class Call:
    """One request in words.

    Attributes:
        what: Completes "could not …".
        path: Below `/api/`.
        gone: The exact messages of a 404 that prove the thing asked for does not exist.
        may_quote: Whether the answer's own text may stand in an error; never after a create.
    """

    what: str
    path: str
    gone: tuple[str, ...] = ()
    may_quote: bool = True


def refusal(answer: Answer, call: Call) -> ApiError:
    """The error that an answer other than the hoped-for one is."""
    error, hint = _kind(answer, call)
    return error(f"could not {call.what}: the server answered {_said(answer, call)}", hint=hint)


def lost_own_token(answer: Answer, call: Call) -> bool:
    """Whether the server misses a token that we did not ask about: our credential.

    It was revoked at this very moment, or this is MySQL, where two requests within a millisecond
    make the server believe so (netbird-api.md §4).
    """
    message = answer.message or ""
    missing = answer.status == HTTPStatus.NOT_FOUND and message not in call.gone
    return missing and bool(_SOME_TOKEN.fullmatch(message))


def _kind(answer: Answer, call: Call) -> tuple[type[ApiError], str]:
    if answer.is_trouble:
        return Unavailable, _TROUBLE
    if answer.message is None and answer.status not in _CLEAR_WITHOUT_WORDS:
        return BadAnswer, wire.HINT
    if answer.status == HTTPStatus.NOT_FOUND:
        return _not_found(answer, call)
    error, hint = _KINDS.get(answer.status, (BadAnswer, wire.HINT))
    return error, _HINTS.get(answer.message or "", hint)


def _not_found(answer: Answer, call: Call) -> tuple[type[ApiError], str]:
    """Our own revoked credential, too, is "not found"; only the exact words tell which it is."""
    message = answer.message or ""
    if message in call.gone:
        return Gone, ""
    if message.startswith(_UNKNOWN_CREDENTIAL) or lost_own_token(answer, call):
        return Unauthenticated, _REVOKED
    return BadAnswer, wire.HINT


def _said(answer: Answer, call: Call) -> str:
    status, message = str(answer.status), answer.message
    if answer.is_redirect:
        return f"{status}, a redirect to {_target(answer)}, which is not followed"
    if message is not None and message.startswith(_UNKNOWN_CREDENTIAL):
        return f"{status}, it does not know our credential"  # the rest is the credential's hash
    if call.may_quote or message in _HINTS or message in call.gone:
        return f"{status}: {_quoted(answer)}"
    return status


def _quoted(answer: Answer) -> str:
    match answer.content:
        case Json():
            return printable(answer.message or "JSON without a message")
        case Text(text):
            return _first_words(text)
        case _:
            assert_never(answer.content)


def _first_words(text: str) -> str:
    title = re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL)
    words = title[1] if title else re.sub(r"<[^>]*>", " ", text)
    return f"no JSON but “{printable(words, 80)}”" if words.strip() else "an empty body"


def _target(answer: Answer) -> str:
    try:
        host = urlsplit(answer.headers.get("Location", "")).hostname
    except ValueError:
        host = "an unreadable address"
    return printable(host or "another path of the same host")
