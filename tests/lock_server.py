"""A lock server on loopback that speaks Terraform's protocol, as Terraform's docs say or as GitLab does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from fakes.loopback import Handler, running

KEYS = ("ID", "Operation", "Info", "Who", "Version", "Created", "Path")
PATHS = {"terraform": "/locks/nb", "gitlab": "/api/v4/projects/me%2Fnb/terraform/state/nb/lock"}
METHODS = {"terraform": ("LOCK", "UNLOCK"), "gitlab": ("POST", "DELETE")}
Dialect = Literal["terraform", "gitlab"]


@dataclass(frozen=True)
class Trouble:
    """What happens to a request: a status with a body, a hang-up, or a silence until the server stops.

    `after`: the lock was taken or freed all the same.
    """

    method: str
    status: int | Literal["drop", "hang"]
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    after: bool = False


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    authorization: str
    body: Any

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass
class LockServer:
    """One lock. `held` is the LockInfo of who has it."""

    dialect: Dialect
    account: tuple[str, str] | None = None
    held: dict[str, Any] | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.stopped = threading.Event()
        self._one_at_a_time = threading.Lock()

    @property
    def config(self) -> str:
        """As it stands in a config file."""
        lock, unlock = METHODS[self.dialect]
        return f"lock: {{type: http, url: '{self.url}', lock_method: {lock}, unlock_method: {unlock}}}\n"

    @contextmanager
    def served(self) -> Iterator[Self]:
        with running(_Handler, self) as origin:
            self.url = f"{origin}{PATHS[self.dialect]}"
            try:
                yield self
            finally:
                self.stopped.set()

    def answer(self, asked: Asked) -> tuple[int, Any]:
        with self._one_at_a_time:
            if self.account and asked.authorization != _basic(*self.account):
                return 401, {"message": f"401 Unauthorized: {asked.authorization}"}
            if urlsplit(asked.path).path != PATHS[self.dialect]:
                return 404, {"message": "404 Not Found"}
            if asked.method not in METHODS[self.dialect]:
                return 405, {"message": "405 Not Allowed"}
            locks = asked.method == METHODS[self.dialect][0]
            answer = self._lock if locks else self._unlock
            return answer(asked)

    def _lock(self, asked: Asked) -> tuple[int, Any]:
        sent: dict[str, Any] = asked.body
        if self.dialect == "gitlab" and not all(isinstance(sent.get(key), str) for key in KEYS):
            return 400, {"error": "a parameter is missing"}
        refused = self.held is not None
        if not refused:
            self.held = sent
        if self.dialect == "terraform":
            return (423 if refused else 200), self.held
        holder = self.held or {}
        echo = {**sent, "ID": holder["ID"], "Who": "gitlab-user", "Created": holder["Created"]}
        return (409 if refused else 200), echo

    def _unlock(self, asked: Asked) -> tuple[int, Any]:
        named = (asked.body or {}).get("ID")
        if self.dialect == "gitlab":
            named = asked.query.get("ID", [named])[0]
            if named is not None and named != (self.held or {}).get("ID"):
                return 409, None
        elif self.held is None:
            return 404, None
        elif named != self.held["ID"]:
            return 423, self.held
        self.held = None
        return 200, None

    def trouble(self, method: str, *, after: bool) -> Trouble | None:
        with self._one_at_a_time:
            for each in self.troubles:
                if each.method == method and each.after == after:
                    self.troubles.remove(each)
                    return each
        return None


class _Handler(Handler):
    def setup(self) -> None:
        super().setup()
        self.fake.connections += 1

    def _serve(self) -> None:
        lock: LockServer = self.fake
        body = json.loads(self.sent() or b"null")
        asked = Asked(self.command, self.path, self.headers.get("Authorization", ""), body)
        lock.asked.append(asked)
        trouble = lock.trouble(asked.method, after=False)
        if trouble is None:
            status, document = lock.answer(asked)
            trouble = lock.trouble(asked.method, after=True)
            if trouble is None:
                self.say(status, (), json.dumps(document).encode())
                return
        if isinstance(trouble.status, int):
            self.say(trouble.status, trouble.headers, trouble.body)
            return
        if trouble.status == "hang":
            lock.stopped.wait()
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_LOCK = do_UNLOCK = _serve  # noqa: N815 - http.server's


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
