"""A child process from its first moment to its last, and all that are alive.

Each is started and waited for by a thread of its own, which no signal handler interrupts. So whoever
handles a signal finds every child that there is, and none is born unseen while a run is being left.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread, get_ident
from typing import IO, Final

_MERCY: Final = 2.0
"""Seconds: between asking a child to end and ending it, and that we wait for what is being ended."""
_GLANCE: Final = 0.01
_TOLD: Final = 4096
"""Bytes of what it says to people that are kept."""
_CHUNK: Final = 65536
_LEAVING: Final = "the run is being left"
_HALF: Final = "left something running that holds its output, which may not be whole"

Popen = subprocess.Popen[bytes]


class NotStarted(Exception):
    """There is no such program, or it cannot be run. Nothing was done.

    Attributes:
        message: One sentence without a full stop.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Rule:
    """Who may start a child; one that was asked for under another rule is not started.

    Attributes:
        only: The one thread that may; None: all.
    """

    def __init__(self, only: int | None = None) -> None:
        self.only = only


class _Alive:
    """All that are alive. It has no lock, since a signal handler asks over whatever it has interrupted:
    each step is one operation on a set or an attribute, which no thread sees half done.
    """

    def __init__(self) -> None:
        self.children: set[Child] = set()
        self.rule = _Rule()


_ALIVE: Final = _Alive()


def end_all() -> None:
    """End every child, with what is in its group; until `allow`, this thread alone starts others.

    For signal handlers. What does not die is waited for so many seconds: `_MERCY`.
    """
    _ALIVE.rule = _Rule(get_ident())
    deadline = time.monotonic() + _MERCY
    while (left := list(_ALIVE.children)) and time.monotonic() < deadline:
        for child in left:
            child.kill()
        time.sleep(_GLANCE)


def allow() -> None:
    """Every thread may start children again."""
    _ALIVE.rule = _Rule()


class Child:
    """One child, with its own session. A thread each for what goes in and comes out: nothing waits for
    another.

    Attributes:
        why: Why we ended it, or cannot tell what it printed; empty otherwise.

    Args:
        start: Starts the process. Raises NotStarted.
        given: What it gets on stdin.
        limit: How many bytes it may print. None: its output is not ours, and what it leaves running
            when it ends by itself is let be.
    """

    def __init__(self, start: Callable[[], Popen], given: bytes, limit: int | None) -> None:
        rule = _ALIVE.rule
        self._rule = rule if rule.only in (None, get_ident()) else None
        self._start = start
        self._given = given
        self._limit = limit
        self._process: Popen | None = None
        self._trouble = "a program could not be started"
        self._readers: list[Thread] = []
        self._is_whole = limit is None
        self._dropped = self._over = False
        self._ended = Event()
        self.why = ""
        self.out, self.err = bytearray(), bytearray()

    def live(self, timeout: float) -> int | None:
        """From its start to its end, after so many seconds one that we make; its status, None where
        `why` says more.

        Raises:
            NotStarted: Nothing was run.
        """
        try:
            _thread(self._accompany)
            if not self._ended.wait(timeout):
                self._stop(f"took longer than {timeout:g} s")
        except RuntimeError:
            raise NotStarted("no thread is left to run a program with") from None
        finally:
            self._drop()
        if self._process is None:
            raise NotStarted(self._trouble)
        return self._status(self._process)

    def kill(self) -> None:
        """At once, with all of its group. For any thread, and for signal handlers."""
        self._signal(signal.SIGKILL)

    def _status(self, process: Popen) -> int | None:
        """What it left in its own group is gone, so its pipes end, unless something left the group."""
        deadline = time.monotonic() + _MERCY
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        if not self._is_whole:
            self.why = self.why or _HALF
        return None if self.why else process.returncode

    def _accompany(self) -> None:
        _ALIVE.children.add(self)
        try:
            process = self._process = self._begun()
            if self._dropped or self.why:
                self.kill()
            self._talk(process)
            process.wait()
            self._bury(process)
        except NotStarted as error:
            self._trouble = error.message
        finally:
            self._ended.set()
            _ALIVE.children.discard(self)

    def _begun(self) -> Popen:
        """Asks the rule after it is known to be alive: whoever changes that finds us, or we see it."""
        if self._rule is not _ALIVE.rule:
            raise NotStarted(_LEAVING)
        return self._start()

    def _talk(self, process: Popen) -> None:
        with suppress(AttributeError, OSError):  # before the secret is in it; Linux has this call
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        try:
            if process.stdout and process.stderr:
                self._readers = [
                    _thread(self._read, process.stdout),
                    _thread(self._hear, process.stderr),
                ]
            _thread(self._write, process.stdin)
        except RuntimeError:
            self.why = "could not be talked to: no thread is left"
            self.kill()

    def _bury(self, process: Popen) -> None:
        """End what it left, and see that it is gone; whoever waits for the child itself need not."""
        if self._limit is None and not self.why and not self._dropped:
            self._over = True
            return
        self.kill()
        self._ended.set()
        deadline = time.monotonic() + _MERCY
        while _has_members(process.pid) and time.monotonic() < deadline:
            time.sleep(_GLANCE)
        self._over = True

    def _stop(self, why: str) -> None:
        """End it, gently at first."""
        self.why = self.why or why
        self._signal(signal.SIGTERM)
        if not self._ended.wait(_MERCY):
            self.kill()
            self._ended.wait()

    def _drop(self) -> None:
        """An interrupt: nobody waits for it any more."""
        if not self._ended.is_set():
            self._dropped = True
            self.kill()
            self._ended.wait(_MERCY)

    def _signal(self, number: int) -> None:
        process = self._process
        if process is not None and not self._over:  # else its number may be another's by now
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)

    def _write(self, stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError), stream:  # one that does not read, says so by its answer
            stream.write(self._given)

    def _read(self, stream: IO[bytes]) -> None:
        limit = self._limit or 0
        with suppress(OSError, ValueError), stream:
            while chunk := os.read(stream.fileno(), _CHUNK):
                if len(self.out) + len(chunk) <= limit:
                    self.out += chunk
                elif not self.why:
                    self.why = f"printed more than {limit >> 10} KiB"
                    _thread(self._stop, self.why)
            self._is_whole = True

    def _hear(self, stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError), stream:
            while chunk := os.read(stream.fileno(), _CHUNK):
                self.err += chunk
                del self.err[:-_TOLD]


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _thread(target: Callable[..., None], *given: object) -> Thread:
    thread = Thread(target=target, args=given, daemon=True)
    thread.start()
    return thread
