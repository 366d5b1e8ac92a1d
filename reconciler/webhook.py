"""A webhook: JSON by POST to one address, which is a secret itself, so nothing here repeats it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from reconciler.errors import UsageError
from reconciler.http import Answer, Client, Limits, Outcome, Stage, address_of
from reconciler.http.retry import Again, Pace, Patience, persist

_NAME: Final = "the URL of `notify`"
_EXAMPLE: Final = "write it like https://alerts.example/netbird-tokens"
_LIMITS: Final = Limits(timeout=(5.0, 10.0), body=64 * 1024)
_PATH: Final = re.compile(r"[!-~]*")
_PATIENCE: Final = Patience(tries=3, first=0.5, longest=2)
_DEADLINE: Final = 15.0
"""Seconds after which no other try is begun: CI waits for us."""


class Webhook:
    """One address that takes notices.

    Raises:
        UsageError: It is none that a secret may be sent to: not https, and neither this machine nor
            allowed by the config.
    """

    def __init__(self, url: str, *, allow_http: bool) -> None:
        address = address_of(url, _NAME, _EXAMPLE, query=True, allow_http=allow_http)
        self._path = address.path.removeprefix("/") + (f"?{address.query}" if address.query else "")
        if not _PATH.fullmatch(self._path):
            raise UsageError(f"{_NAME} has characters that do not belong there", hint=_EXAMPLE)
        self._client = Client(
            f"{address.origin}/", frozenset({"POST"}), is_loopback=address.is_loopback
        )

    def send(self, body: Mapping[str, object], pace: Pace | None = None) -> str:
        """Send it, again where that may help; why it was not taken, else empty.

        It may arrive twice: who reads it is told of the same thing once more, and nothing is done.
        """
        try:
            outcome = persist(
                lambda: self._client.ask("POST", self._path, None, _LIMITS, body),
                _wish,
                pace or Pace(deadline=_DEADLINE),
            )
        finally:
            self._client.close()
        if not isinstance(outcome, Answer):
            return outcome.reason
        if HTTPStatus.OK <= outcome.status < HTTPStatus.MULTIPLE_CHOICES:
            return ""
        more = ", a redirect, which is not followed" if outcome.is_redirect else ""
        return f"its server answered {outcome.status}{more}"


def _wish(outcome: Outcome) -> Again | None:
    if isinstance(outcome, Answer):
        passing = outcome.is_trouble or outcome.status == HTTPStatus.TOO_MANY_REQUESTS
    else:
        passing = outcome.stage in (Stage.UNSENT, Stage.LOST)
    return Again(_PATIENCE) if passing else None
