"""One call in the midst of another, at points spread over all of it: races that do not hang on luck."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

Does = Callable[[], object]
Two = tuple[Does, Does]

POINTS = (1, 8)
"""As many as are done in `SPENT` seconds, and never fewer or more than these."""
SPENT = 0.03
LONGEST = 60.0


class Call(threading.Thread):
    """A call in a thread of its own; it stops at its event number `at` until it is told to go on.

    Every call of a function within it is an event. Whatever it raises is kept, and counts as no success.
    """

    def __init__(self, does: Does, at: int = 0) -> None:
        super().__init__(daemon=True)
        self.said: object = None
        self.error: BaseException | None = None
        self.events = 0
        self.at_rest, self.onward = threading.Event(), threading.Event()
        self._does, self._at = does, at

    @property
    def is_done(self) -> bool:
        return self.error is None and self.said is not False

    def run(self) -> None:
        sys.setprofile(self._count)
        try:
            self.said = self._does()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test judges it
            self.error = error
        finally:
            sys.setprofile(None)
            self.at_rest.set()

    def ended(self) -> Call:
        self.onward.set()
        self.join(LONGEST)
        assert not self.is_alive(), f"a call took longer than {LONGEST:.0f} s"
        return self

    def _count(self, _frame: FrameType, event: str, _about: object) -> None:
        if event in ("call", "c_call"):
            self.events += 1
            if self.events == self._at:
                self.at_rest.set()
                self.onward.wait(LONGEST)


def amid(prepare: Callable[[], Two]) -> Iterator[tuple[Call, Call]]:
    """The first of two calls, stopped at one point after the other; there the second is made whole.

    A second call that waits for the first, as for a lock, ends after it.
    """
    events, took = _alone(prepare()[0])
    points = min(max(POINTS[0], int(SPENT / took)), POINTS[1])
    for point in range(1, points + 1):
        first, second = prepare()
        one, two = Call(first, at=events * point // (points + 1)), Call(second)
        one.start()
        one.at_rest.wait(LONGEST)
        two.start()
        two.join(5 * took + 0.02)
        yield one.ended(), two.ended()


def together(*actions: Does) -> tuple[Call, ...]:
    """All at the same time."""
    calls = tuple(Call(does) for does in actions)
    for call in calls:
        call.start()
    return tuple(call.ended() for call in calls)


def in_turn(*actions: Does) -> tuple[Call, ...]:
    return tuple(call for does in actions for call in together(does))


def at_once(actions: Sequence[Does]) -> list[BaseException | None]:
    """What each of them raised, all made at the same time."""
    return [call.error for call in together(*actions)]


def _alone(does: Does) -> tuple[int, float]:
    """How many events there are in a call, and its seconds."""
    call, began = Call(does), time.monotonic()
    call.start()
    return call.ended().events, max(time.monotonic() - began, 0.001)
