"""The four writes of a sink, each on a place that holds number 1, and whether all of one is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reconciler.core.ports import Sink
from reconciler.core.receipts import Absent, Receipt, Stored, Version
from reconciler.core.tokens import UserId
from reconciler.testing.contents import REGISTERED, SET, State, plain, put, receipt

MOVED = replace(REGISTERED, principal=UserId("another"))
AMENDED = receipt(1, protect=False)


@dataclass(frozen=True)
class Write:
    """One write.

    Attributes:
        does: With a sink, a key, and the version that was seen there.
        keeps_value: Whether a consumer reads the same before, after, and all the while.
    """

    does: Callable[[Sink, str, Version], object]
    is_done: Callable[[State], bool]
    keeps_value: bool = False


def putting(number: int) -> Write:
    return Write(
        lambda sink, key, seen: put(sink, key, number, seen),
        lambda now: _holds(now, number, receipt(number)),
    )


WRITES: Mapping[str, Write] = {
    "put": putting(2),
    "amend": Write(
        lambda sink, key, seen: sink.amend(key, AMENDED, seen),
        lambda now: _holds(now, 1, AMENDED),
        keeps_value=True,
    ),
    "register": Write(
        lambda sink, _key, _seen: sink.register(MOVED),
        lambda now: now.registrations == {SET: MOVED},
        keeps_value=True,
    ),
    "delete": Write(
        lambda sink, key, _seen: sink.delete(key, receipt(1).token.id),
        lambda now: now.value is None and isinstance(now.held, Absent),
    ),
}


def _holds(now: State, number: int, expected: Receipt) -> bool:
    held = now.held
    return now.value == plain(number) and isinstance(held, Stored) and held.receipt == expected
