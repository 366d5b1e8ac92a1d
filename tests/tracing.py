"""strace as a fault injector: kills a running process at a system call, or lets the call fail.

A process is taken hold of at a moment that the test chooses, so calls are counted from there: what
the interpreter did before does not matter. Where the machine does not let us, tests that need it are
skipped, with the reason.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_CALL = re.compile(r"^(?P<thread>\d+)\s+(?P<name>\w+)\((?P<rest>.*)", re.MULTILINE)
NAMES = ("mkdirat", "fchmod", "fchown", "fsync", "?renameat", "?renameat2", "unlinkat", "flock")
"""Calls that nothing but a writer of files makes; `?`: not every machine has it."""

WRITING = (*NAMES, "openat", "write")


@dataclass(frozen=True)
class Call:
    """The `number`th call of its name (from 1) that a thread made, as strace shows it."""

    name: str
    number: int
    text: str

    @property
    def changes(self) -> bool:
        """Whether something may be different after it; what only looks is no step of a write."""
        return self.name != "openat" or "O_CREAT" in self.text or "O_TMPFILE" in self.text

    def __str__(self) -> str:
        return f"{self.name}.{self.number}"


@contextmanager
def traced(pid: int, log: Path, *inject: str) -> Iterator[None]:
    """Watch all threads of a process, with these injections (`fsync:signal=SIGKILL:when=2`).

    Leaving the block waits for the process to end.
    """
    with attached(pid, log, *inject) as strace:
        assert strace.stderr
        yield
        strace.stderr.read()


def attached(
    pid: int, log: Path, *inject: str, names: Sequence[str] = WRITING
) -> subprocess.Popen[str]:
    """As `traced`, for as long as either lives. Raises OSError if it cannot be done."""
    argv = ["strace", "-f", "-s", "200", "-o", str(log), "-e", f"trace={','.join(names)}"]
    argv += [each for what in inject for each in ("-e", f"inject={what}")]
    strace = subprocess.Popen([*argv, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    assert strace.stderr
    said = strace.stderr.readline()
    if "attached" not in said:
        strace.communicate()
        raise OSError(said.strip() or "strace ended at once")
    return strace


def calls(log: Path) -> list[Call]:
    """What was called, in order; numbers count for each thread, as strace does."""
    seen = Counter[tuple[str, str]]()
    found = []
    for line in _CALL.finditer(log.read_text(encoding="utf-8", errors="replace")):
        seen[line["thread"], line["name"]] += 1
        number = seen[line["thread"], line["name"]]
        found.append(Call(line["name"], number, line["rest"]))
    return found


@functools.cache
def _obstacle() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    waiting = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as process:
        try:
            with traced(process.pid, Path("/dev/null")):
                process.communicate(b"\n")
        except OSError as error:
            process.kill()
            return f"this machine lets nobody trace: {error}"
    return ""


def needed() -> None:
    """Skip the test if it cannot be done here."""
    if reason := _obstacle():
        pytest.skip(reason)
