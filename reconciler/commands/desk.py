"""Where a command speaks and listens: results to stdout, everything else to stderr.

What is said here may quote anybody, so all of it passes `escape.harmless`; what `annotate` says is
made by `reports.github` alone.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from reconciler.errors import Unconfirmed
from reconciler.reports import github
from reconciler.reports.escape import harmless
from reconciler.reports.findings import Finding
from reconciler.reports.formats import Place


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
        self._write(self.out, harmless(text).removesuffix("\n"))

    def show_once(self, secret: str) -> bool:
        """Print a secret; for `create --show-once` alone. False: it provably reached nobody."""
        self._write(self.out, secret)
        return not getattr(self.out, "lost", False)  # what `cli.streams` makes of a stream has this

    def can_be_heard(self) -> bool:
        """False if stdout is closed, broken, the null device, or a pipe that nobody reads."""
        try:
            number = self.out.fileno()
        except OSError:
            return True  # it is no file at all, and somebody's own
        if os.fstat(number).st_rdev == Path(os.devnull).stat().st_rdev:
            return False  # whatever was closed leads there, too
        poll = select.poll()
        poll.register(number, 0)
        return not poll.poll(0)  # asked for nothing, it tells of broken ends alone

    def note(self, text: str) -> None:
        """Say something about the run."""
        self._write(self.err, harmless(text))

    def annotate(self, found: Sequence[Finding], place: Place) -> None:
        """Say to GitHub what is wrong where: the one thing that is meant to command a CI system.

        On stderr, which the runner heeds, too: stdout may be one document.
        """
        for command in github.commands(found, place):
            self._write(self.err, command)

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        stream.write(f"{text}\n")
        stream.flush()

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
        if not self.ask(harmless(question)):
            raise Unconfirmed("declined; nothing was changed")
