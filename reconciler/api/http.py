"""What the NetBird API adds to a client of `reconciler.http`: its credential, budget and clock."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from typing import Final

from reconciler.api.budget import Budget
from reconciler.api.endpoint import Endpoint
from reconciler.core.secret import Secret
from reconciler.http import Answer, Client, Header, Limits, Outcome

THREADS: Final = 8
TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and between two bytes of an answer."""
MAX_BODY: Final = 64 * 1024 * 1024


class Reading(Client):
    """Can GET, and nothing else. Safe to share by threads; keeps up to eight connections."""

    _methods: frozenset[str] = frozenset({"GET"})

    def __init__(self, endpoint: Endpoint, budget: Budget) -> None:
        super().__init__(
            f"{endpoint.url}/api/",
            self._methods,
            is_loopback=endpoint.is_loopback,
            connections=THREADS,
        )
        self._credential = endpoint.credential
        self._budget = budget
        self._lock = Lock()
        self._first_date: str | None = None

    def get(self, path: str, credential: Secret | None = None) -> Outcome:
        """GET a path below `/api/`, by default with our own credential."""
        return self._send("GET", path, credential or self._credential)

    @property
    def first_date(self) -> str | None:
        """The `Date` of the first 200 as it was sent; empty without one; None before any."""
        with self._lock:
            return self._first_date

    def use(self, credential: Secret) -> None:
        """Send this credential from now on."""
        self._credential = credential

    def _send(
        self, method: str, path: str, credential: Secret, body: Mapping[str, object] | None = None
    ) -> Outcome:
        self._budget.take()
        auth = Header(credential, "Token")
        outcome = self.ask(method, path, auth, Limits(TIMEOUT, MAX_BODY), body)
        if isinstance(outcome, Answer) and outcome.status == HTTPStatus.OK:
            with self._lock:
                if self._first_date is None:
                    self._first_date = outcome.headers.get("Date", "")
        return outcome


class Writing(Reading):
    """Can POST and DELETE, too."""

    _methods = frozenset({"GET", "POST", "DELETE"})

    def post(self, path: str, body: Mapping[str, object]) -> Outcome:
        """POST JSON to a path below `/api/`, once."""
        return self._send("POST", path, self._credential, body)

    def delete(self, path: str) -> Outcome:
        """DELETE a path below `/api/`, once."""
        return self._send("DELETE", path, self._credential)
