"""What became of each effect, and what that means for the run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.changes import Effect
from reconciler.core.tokens import TokenId


class Status(StrEnum):
    """How one effect ended."""

    DONE = "done"
    FAILED = "failed"
    """Nothing was changed."""
    ROLLED_BACK = "rolled-back"
    """A token was minted, reached no sink, and was revoked again."""
    UNCERTAIN = "uncertain"
    """A token or a write is left whose fate the next run has to find out."""
    SKIPPED = "skipped"
    """Not started: the run was interrupted, or stopped by what failed before."""


@dataclass(frozen=True, slots=True)
class Result:
    """One effect and its end.

    Attributes:
        token: The token that was minted, where one was.
        text: What happened, one sentence; empty when all went well.
        denied: Whether our credential was refused.
    """

    effect: Effect
    status: Status
    text: str = ""
    token: TokenId | None = None
    denied: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """All results of one run, in plan order."""

    results: tuple[Result, ...] = ()
    interrupted: bool = False

    def count(self, status: Status) -> int:
        return sum(1 for result in self.results if result.status is status)

    @property
    def ok(self) -> bool:
        return all(result.status is Status.DONE for result in self.results)
