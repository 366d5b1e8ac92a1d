"""Splitting a plan among jobs: by user, so that no two of them touch one user's tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of several.

    Attributes:
        index: From 1.
        count: How many there are.
    """

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def has(self, user: str, *, whole: bool) -> bool:
        """Whether this part takes care of a user; of a `whole` plan the first part does it all.

        That is one that writes to a sink for the first time: what tells our own crash from somebody
        else's tokens is a registration that stands before the first token is made, and other parts
        could not see it in time.
        """
        return self.index == (1 if whole else number_of(user, self.count))

    def calls(self, user: str, working: Collection[int]) -> bool:
        """Whether this part does for a user what an earlier run left to do and no plan lists.

        Each part may be a job, or only those that are `working`, which have something to do by the plan:
        so where the user's own part is none of these, the first that is one stands in for it.
        """
        own = number_of(user, self.count)
        return self.index == (own if own in working else min(working, default=own))


def number_of(user: str, count: int) -> int:
    """The part, from 1 to `count`, that takes care of a user: the same on every machine, for ever."""
    digest = hashlib.sha256(user.encode()).digest()
    return int.from_bytes(digest[:8], "big") % count + 1
