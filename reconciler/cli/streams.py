"""Standard streams that nobody may hear: closed from the start, a broken pipe, a full disk, a terminal
that is gone. None of that may end a command halfway, so it is noted and has a say in the exit code.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, Final, TextIO, cast

_STANDARD: Final = (0, 1, 2)


class Unfailing:
    """A text stream that goes on in silence once something could not be written.

    Attributes:
        lost: Whether that has happened.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = False

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._mute()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._mute()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _mute(self) -> None:
        """What is still in buffers goes to the null device, too, so that it cannot fail again."""
        self.lost = True
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


def secure() -> Unfailing:
    """Make stdout and stderr unfailing, whatever our parent left of the three; returns stdout."""
    _occupy()
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    out, err = Unfailing(_stream(sys.stdout, 1)), Unfailing(_stream(sys.stderr, 2))
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    return out


def _occupy() -> None:
    """A number that is free would go to the next file opened: prints would land in a secret's file."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


def _stream(stream: TextIO | None, number: int) -> TextIO:
    if stream is None:  # it was closed when Python started
        return os.fdopen(number, "w", encoding="utf-8", closefd=False)
    if isinstance(stream, TextIOWrapper):  # what its encoding does not have is shown as an escape
        stream.reconfigure(errors="backslashreplace")
    return stream
