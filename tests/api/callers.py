"""The client in a test's hands: time passes only by sleeping, chance is even, both writes are at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.api import Endpoint, HttpTokenApi, writer
from reconciler.core.secret import Secret, checksum
from reconciler.core.tokens import TokenId, UserId
from reconciler.http.retry import Pace

BOT = UserId("bot")
MINTED = f"nbp_{'m' * 30}{checksum('m' * 30)}"
TOKEN = {
    "id": "tok1", "name": "x", "created_by": "us",
    "created_at": "2026-03-01T12:00:00Z", "expiration_date": "2026-03-04T12:00:00Z",
}  # fmt: skip
CREATED = {"plain_token": MINTED, "personal_access_token": TOKEN}
WRITES: tuple[Callable[[HttpTokenApi], object], ...] = (
    lambda api: api.create(BOT, "x", 3),
    lambda api: api.revoke(BOT, TokenId("tok1")),
)


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, chance: float = 1.0, deadline: float = 120) -> Pace:
        return Pace(lambda: self.now, self.sleep, lambda: chance, deadline)


def talk(
    url: str,
    credential: Secret,
    time: Time | None = None,
    *,
    allow_http: bool = False,
    deadline: float = 120,
) -> HttpTokenApi:
    """A client that can write, to be closed by `with`."""
    passing = time or Time()
    return writer(
        Endpoint(url, credential, allow_http=allow_http),
        clock=lambda: passing.now,
        sleep=passing.sleep,
        random=lambda: 0.5,
        deadline=deadline,
    )
