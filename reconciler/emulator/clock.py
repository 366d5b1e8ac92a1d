"""The emulator's own time: it runs like real time, can be moved ahead, and can be stopped.

The server thinks in nanoseconds (Go), so the clock does too; `now` is the same to the microsecond.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Setting:
    """The clock showed `shown` at the real instant `at` (both nanoseconds since 1970)."""

    shown: int
    at: int
    runs: bool


class Clock:
    """Starts at `start` (aware; the real time when left out) and runs on."""

    def __init__(self, start: datetime | None = None) -> None:
        real = time.time_ns()
        self._setting = _Setting(real if start is None else nanoseconds(start), real, runs=True)

    def now(self) -> datetime:
        """The emulator's time, UTC, to the microsecond (rounded down)."""
        return moment(self.nanoseconds())

    def nanoseconds(self) -> int:
        """The emulator's time in nanoseconds since 1970, UTC."""
        setting = self._load()
        return setting.shown + (time.time_ns() - setting.at if setting.runs else 0)

    def advance(self, by: timedelta) -> None:
        """Move ahead; a stopped clock stays stopped."""
        shown = self.nanoseconds() + by // _MICROSECOND * 1000
        self._save(_Setting(shown, time.time_ns(), self._load().runs))

    def freeze(self) -> None:
        """Stop; only `advance` moves it from here on."""
        self._save(_Setting(self.nanoseconds(), time.time_ns(), runs=False))

    def _load(self) -> _Setting:
        return self._setting

    def _save(self, setting: _Setting) -> None:
        self._setting = setting


class FileClock(Clock):
    """A clock kept in a small file, so that several processes share it and any of them can move it."""

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        super().__init__(start)
        self._path = path
        if not path.exists():
            self._save(self._setting)

    def _load(self) -> _Setting:
        return _Setting(**json.loads(self._path.read_text()))

    def _save(self, setting: _Setting) -> None:
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(asdict(setting)))
        fresh.replace(self._path)  # in one step: a reader never sees half a file


def nanoseconds(moment: datetime) -> int:
    """Nanoseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND * 1000


def moment(nanoseconds: int) -> datetime:
    """The instant in UTC, to the microsecond (rounded down)."""
    return _EPOCH + nanoseconds // 1000 * _MICROSECOND
