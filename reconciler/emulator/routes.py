"""Which handler a path belongs to; all else is plain text or a redirect, before any authentication.

The router works on the decoded path and cleans it first (netbird-api.md §0 points 6 and 7, §1.0).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from reconciler.emulator import events, tokens, users
from reconciler.emulator.exchange import Answer, Request
from reconciler.emulator.visit import Handler

_ROUTES: Final[tuple[tuple[re.Pattern[str], Mapping[str, Handler]], ...]] = tuple(
    (re.compile(pattern), handlers)
    for pattern, handlers in (
        (
            r"/api/users/(?P<user>[^/]+)/tokens",
            {"GET": tokens.list_tokens, "POST": tokens.create_token},
        ),
        (
            r"/api/users/(?P<user>[^/]+)/tokens/(?P<token>[^/]+)",
            {"GET": tokens.get_token, "DELETE": tokens.delete_token},
        ),
        (r"/api/users", {"GET": users.list_users, "POST": users.create_user}),
        (r"/api/users/current", {"GET": users.current_user}),
        (
            r"/api/users/(?P<user>[^/]+)",
            {"PUT": users.update_user, "DELETE": users.delete_user},
        ),
        (r"/api/events(/audit)?", {"GET": events.list_events}),
    )
)
_UNRESERVED: Final = "/:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class Route:
    """A handler and the ids from the path."""

    handler: Handler
    params: Mapping[str, str]


def find(request: Request) -> Route | Answer:
    """The route of a request, or the answer of a router that has none."""
    path = request.path
    clean = _cleaned(path)
    if clean != path:
        query = request.target[len(request.raw_path) :]
        return Answer(301, headers={"Location": quote(clean, safe=_UNRESERVED) + query})
    for pattern, handlers in _ROUTES:
        match = pattern.fullmatch(path)
        if match is not None and request.method in handlers:
            return Route(handlers[request.method], match.groupdict())
    text = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return Answer(404, b"404 page not found\n", text)


def _cleaned(path: str) -> str:
    clean = "/" + posixpath.normpath("/" + path).lstrip("/")
    return clean + "/" if path.endswith("/") and clean != "/" else clean
