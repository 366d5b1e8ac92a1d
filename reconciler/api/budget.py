"""Slows us down before a server's rate limit does; shared by all threads of one client.

NetBird Cloud allows 120 requests a minute and bursts of 1,200 per token (netbird-api.md §5). We
stay below both, since another job may use the same token. Self-hosted servers have no limit by
default, and where they have one, it cannot be asked for: there a 429 tells us.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import Final

from reconciler.http.retry import Pace


@dataclass(frozen=True, slots=True)
class Allowance:
    """A token bucket: `burst` requests at once, then `per_minute`."""

    burst: float
    per_minute: float


CLOUD: Final = Allowance(burst=1000, per_minute=100)
UNLIMITED: Final = Allowance(burst=math.inf, per_minute=0)


def allowance_of(host: str) -> Allowance:
    """What the operator of this host allows, as far as it is published."""
    return CLOUD if host == "netbird.io" or host.endswith(".netbird.io") else UNLIMITED


class Budget:
    """Hands out requests; below zero the bucket is a queue where each caller awaits its turn."""

    def __init__(self, allowance: Allowance, pace: Pace) -> None:
        self._allowance = allowance
        self._pace = pace
        self._lock = Lock()
        self._left = allowance.burst
        self._since = pace.clock()

    def take(self) -> None:
        """Take one request; sleeps until it is due."""
        wait = self._reserve()
        if wait > 0:
            self._pace.sleep(wait)

    def _reserve(self) -> float:
        with self._lock:
            now = self._pace.clock()
            regained = (now - self._since) * self._allowance.per_minute / 60
            self._left = min(self._allowance.burst, self._left + regained) - 1
            self._since = now
            return 0.0 if self._left >= 0 else -self._left * 60 / self._allowance.per_minute
