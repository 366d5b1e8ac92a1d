"""Where a command speaks and listens: results to stdout, everything else to stderr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from reconciler.errors import Unconfirmed


@dataclass(frozen=True, slots=True)
class Desk:
    """The terminal, or what stands in for it.

    Attributes:
        interactive: Whether a person is there to answer; if not, nothing is ever asked.
        ask: Puts a yes-or-no question.
    """

    out: TextIO
    err: TextIO
    interactive: bool
    ask: Callable[[str], bool]

    def show(self, text: str) -> None:
        """Print a result."""
        self.out.write(text if text.endswith("\n") else f"{text}\n")
        self.out.flush()

    def note(self, text: str) -> None:
        """Say something about the run."""
        self.err.write(f"{text}\n")
        self.err.flush()

    def confirm(self, question: str, *, flag: str = "--yes") -> None:
        """Go on only if a person says so.

        Raises:
            Unconfirmed: Nobody is there to ask, or the answer was no. Nothing was changed.
        """
        if not self.interactive:
            raise Unconfirmed(
                "this needs a yes, and nobody is there to ask; nothing was changed",
                hint=f"add {flag} to go on without a question",
            )
        if not self.ask(question):
            raise Unconfirmed("declined; nothing was changed")
