"""A proxy before any HTTP server, fake or real: it breaks what a test wants broken, and listens."""

from __future__ import annotations

import http.client
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Literal, Self
from urllib.parse import urlsplit

from fakes.loopback import Handler, running

_HOPS = {"connection", "transfer-encoding", "content-length", "host", "server"}
Passed = tuple[int, list[tuple[str, str]], bytes]


@dataclass(frozen=True)
class Trouble:
    """What happens to requests of a method whose path has a part: a hang-up, or another answer.

    Services of AWS have one path; the name of the operation stands behind it here.

    `after`: the server has carried the request out all the same. `skip`: so many go through before.
    Without a method: any.
    """

    method: str
    part: str
    answer: tuple[int, bytes] | Literal["drop"] = "drop"
    after: bool = False
    skip: int = 0


def writes(part: str, *, after: bool) -> tuple[Trouble, ...]:
    """Whatever is written below a path with this part hangs up."""
    return tuple(Trouble(method, part, after=after) for method in ("POST", "PUT", "PATCH", "DELETE"))


@dataclass
class Relay:
    """Passes everything on to `upstream`, except for its troubles; `tls` is for one that is https."""

    upstream: str
    tls: ssl.SSLContext | None = None
    troubles: list[Trouble] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    met: Counter[Trouble] = field(default_factory=Counter)
    url: str = ""

    @contextmanager
    def served(self) -> Iterator[Self]:
        with running(_Handler, self) as self.url:
            yield self

    @contextmanager
    def troubled(self, *troubles: Trouble) -> Iterator[None]:
        self.troubles += troubles
        try:
            yield
        finally:
            for each in troubles:
                self.troubles.remove(each)

    def trouble(self, method: str, path: str, *, after: bool) -> Trouble | None:
        for each in self.troubles:
            if each.method in (method, "") and each.part in path and each.after == after:
                self.met[each] += 1
                if self.met[each] > each.skip:
                    return each
        return None

    def passed_on(self, method: str, path: str, headers: Message, body: bytes) -> Passed:
        """What the server says: status, headers, body."""
        where = urlsplit(self.upstream)
        address = str(where.hostname), where.port
        connection = (
            http.client.HTTPSConnection(*address, timeout=30, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(*address, timeout=30)
        )
        sent = {name: value for name, value in headers.items() if name.lower() not in _HOPS}
        connection.request(method, where.path + path, body=body, headers=sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content


class _Handler(Handler):
    def _serve(self) -> None:
        relay: Relay = self.fake
        body = self.sent()
        path = f"{self.path} {self.headers.get('X-Amz-Target', '')}".rstrip()
        relay.asked.append((self.command, path))
        trouble = relay.trouble(self.command, path, after=False)
        if trouble is None:
            status, headers, content = relay.passed_on(self.command, self.path, self.headers, body)
            trouble = relay.trouble(self.command, path, after=True)
            if trouble is None:
                kept = [(name, value) for name, value in headers if name.lower() not in _HOPS]
                self.say(status, kept, content)
                return
        if trouble.answer == "drop":
            self.close_connection = True
            return
        status, content = trouble.answer
        self.say(status, [("Content-Type", "application/json")], content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_LIST = _serve  # noqa: N815 - http.server's
