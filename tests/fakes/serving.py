"""A server on loopback for a fake that is one function: from a request to an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fakes.loopback import Handler, running


@dataclass(frozen=True)
class Request:
    """`path` begins with a slash and is as it was sent; `body` is JSON, or the fields of a form."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Said:
    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving(handle: Callable[[Request], Said]) -> Iterator[str]:
    """The address at which it is served. It also serves as a proxy for plain http: of itself."""
    with running(_Handler, _OneAtATime(handle)) as url:
        yield url


@dataclass(frozen=True)
class _OneAtATime:
    handle: Callable[[Request], Said]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def said(self, request: Request) -> Said:
        with self.lock:
            return self.handle(request)


class _Handler(Handler):
    def _serve(self) -> None:
        where, text = urlsplit(self.path), self.sent().decode()
        if "json" in self.headers.get("Content-Type", ""):
            body = json.loads(text or "null")
        else:
            body = dict(parse_qsl(text))
        query = dict(parse_qsl(where.query))
        said = self.fake.said(Request(self.command, where.path, query, dict(self.headers), body))
        content = b"" if said.document is None else json.dumps(said.document).encode()
        headers = [*said.headers.items(), ("Content-Type", "application/json")]
        self.say(said.status, headers, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's
