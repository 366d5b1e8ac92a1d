"""The other end of `writer.py`: gives orders and says what came of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import tracing
from writer import Order

_WRITER = Path(__file__).with_name("writer.py")


@dataclass(frozen=True)
class Ended:
    """How an order ended.

    Attributes:
        said: `done`, `refused …`, `unsure …`, or nothing if it was killed.
        status: As of a shell; negative: the signal that killed it.
    """

    said: str
    status: int


class Writer:
    """A process that makes one more for each order."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._orders, self._answers = process.stdin, process.stdout

    def begin(self, order: Order) -> None:
        self._orders.write(json.dumps(asdict(order)) + "\n")
        self._orders.flush()

    def end(self) -> Ended:
        said = ""
        for line in self._answers:
            word, _, rest = line.strip().partition(" ")
            if word == "ended":
                return Ended(said, int(rest))
            said = line.strip()
        raise AssertionError("the writer itself ended")

    def do(self, order: Order) -> Ended:
        self.begin(order)
        return self.end()

    def waiting(self) -> int:
        """The process that waits for SIGUSR1."""
        return int(self._answers.readline().removeprefix("pid "))

    def traced(self, order: Order, log: Path, *inject: str) -> Ended:
        """Carry out an order that waits, with these injections from its first call on."""
        self.begin(order)
        pid = self.waiting()
        with tracing.traced(pid, log, *inject):
            os.kill(pid, signal.SIGUSR1)
        return self.end()


@contextmanager
def writing() -> Iterator[Writer]:
    argv = [sys.executable, str(_WRITER)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Writer(process)
