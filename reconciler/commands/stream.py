"""Events while a run goes on: each a whole line at once, so that a killed run leaves what happened."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from reconciler.commands.output import is_stream
from reconciler.errors import Unwritten, UsageError
from reconciler.reports import events
from reconciler.reports.events import Event


class Stream:
    """Where `--report events=FILE` leads, any number of times. Threads may share it.

    Args:
        clock: This machine's; aware.
    """

    def __init__(self, paths: Sequence[Path], clock: Callable[[], datetime]) -> None:
        self._paths = paths
        self._clock = clock
        self._open: dict[Path, BinaryIO] = {}
        self._lost: list[Unwritten] = []
        self._lock = Lock()

    def begin(self, command: str) -> None:
        """Open all files and say who writes. Raises UsageError if one cannot be opened."""
        for path in self._paths:
            fresh = os.O_APPEND if is_stream(path) else os.O_CREAT | os.O_TRUNC
            try:
                self._open[path] = os.fdopen(os.open(path, os.O_WRONLY | fresh, 0o666), "wb")
            except OSError as error:
                raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        self.tell(events.began(command))

    def tell(self, event: Event) -> None:
        """Write one record everywhere. Where that fails, nothing more is written: half a story misleads."""
        if not self._open:
            return
        with self._lock:
            line = events.line(event, self._clock()).encode()
            for path, file in list(self._open.items()):
                try:
                    file.write(line)
                    file.flush()
                except OSError as error:
                    self._lost.append(
                        Unwritten(
                            f"{path} was not written to the end: {error.strerror}",
                            hint="mend that, or name another file; what was done is said above",
                        )
                    )
                    _close(self._open.pop(path))

    def end(self) -> list[Unwritten]:
        """Close all; those that were lost on the way."""
        for file in self._open.values():
            _close(file)
        self._open.clear()
        lost, self._lost = self._lost, []
        return lost


def _close(file: BinaryIO) -> None:
    with suppress(OSError):  # what could not be flushed is lost already, and known to be
        file.close()
