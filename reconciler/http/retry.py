"""When to try again and how long to wait: a pure schedule, and the loop that follows it.

Exponential with full jitter. What deserves another try is the caller's question; that an attempt
was harmless is its promise. Time and chance are passed in, so a test needs neither.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try altogether, and the ceilings of the waits between, in seconds."""

    tries: int
    first: float
    longest: float


FAILING: Final = Patience(tries=5, first=0.5, longest=8)
LIMITED: Final = Patience(tries=30, first=1, longest=30)
"""429: waiting is the whole cure, so only the deadline ends it."""
DEADLINE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Again:
    """The wish for another try; `at_least` seconds from now when the server said so."""

    patience: Patience
    at_least: float = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """Time and chance.

    Attributes:
        clock: Seconds, monotonic.
        sleep: Waits so many seconds.
        random: A number from 0 up to 1.
        deadline: Seconds after the first try when no other one is begun any more.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    deadline: float = DEADLINE


def delay(again: Again, tried: int, chance: float) -> float | None:
    """Seconds to wait after `tried` tries; None when that was enough."""
    patience = again.patience
    if tried >= patience.tries:
        return None
    ceiling = min(patience.longest, patience.first * 2.0 ** (tried - 1))
    # What the server asked for is a minimum; the jitter keeps threads from coming back as one.
    return again.at_least + ceiling * chance


def persist(attempt: Callable[[], T], wish: Callable[[T], Again | None], pace: Pace) -> T:
    """The first outcome that nobody wishes to try again, or the last one within the deadline."""
    end = pace.clock() + pace.deadline
    tried = 0
    while True:
        outcome = attempt()
        tried += 1
        again = wish(outcome)
        wait = None if again is None else delay(again, tried, pace.random())
        if wait is None or pace.clock() + wait > end:
            return outcome
        pace.sleep(wait)
