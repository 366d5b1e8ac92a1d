"""What the benchmarks share: an emulator and commands in processes of their own, and the verdict.

Everything is a process, so that nothing shares our interpreter and start-up counts. The best of a few
runs is taken: what a machine does besides only ever adds time.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.emulator import Clock, Emulator

RUNS = 3
HEAD = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: bench\ntokens:\n"


class Account:
    """An account in a store that the emulator's process will serve.

    Attributes:
        credential: Of the admin service user that commands run as.
        users: Ids of the service users `u0`, `u1`, ….
    """

    def __init__(self, store: Path, users: int, clock: Clock | None = None) -> None:
        self.store = store
        self.emulator = Emulator(store=store, clock=clock)
        us = self.emulator.add_user("reconciler", role="admin", service_user=True)
        self.credential = self.emulator.issue(us, "bootstrap", days=365)
        self.users = [
            self.emulator.add_user(f"u{n}", role="user", service_user=True) for n in range(users)
        ]

    def count(self) -> int:
        """How many tokens the users have."""
        return sum(len(self.emulator.tokens(user)) for user in self.users)

    @contextmanager
    def served(self, latency_ms: float, *options: str) -> Iterator[str]:
        """The URL of a server of this account, whose every answer takes `latency_ms`."""
        argv = [sys.executable, "-m", "reconciler.emulator", "--store", str(self.store)]
        server = subprocess.Popen(
            [*argv, "--latency-ms", str(latency_ms), *options], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait()


def write_tokens(file: Path, count: int, users: int) -> Path:
    """A token file of `count` entries that take turns among the users; returns its path."""
    lines = (f"  - {{name: t{n}, user: u{n % users}}}\n" for n in range(count))
    file.write_text(HEAD + "".join(lines), encoding="utf-8")
    return file


def command(*argv: str) -> int:
    """Run `netbird-tokens` quietly, from start to exit; returns the most memory it had, in MB."""
    return python("-m", "reconciler", *argv)


def python(*argv: str) -> int:
    """Run Python quietly; our modules are compiled once, as those of an installed package are."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert process.stderr is not None
    with process.stderr as stream:
        said = stream.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return used.ru_maxrss // 1024  # Linux counts in KB


@dataclass(frozen=True)
class Bare:
    """A request without anything around it; a body is sent as JSON."""

    path: str
    body: dict[str, object] | None = None


def send_all(url: str, requests: Sequence[Bare], connections: int) -> None:
    """Send every request, in turn over so many kept-alive connections, as the NB_PAT of this process."""
    where = urlsplit(url)
    headers = {"Authorization": f"Token {os.environ['NB_PAT']}"}

    def some(mine: Sequence[Bare]) -> None:
        connection = http.client.HTTPConnection(str(where.hostname), where.port)
        for each in mine:
            method, body = ("POST", json.dumps(each.body)) if each.body else ("GET", None)
            connection.request(method, each.path, body, headers)
            answer = connection.getresponse()
            assert answer.status == HTTPStatus.OK, answer.read()
            answer.read()
        connection.close()

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(some, (requests[n::connections] for n in range(connections))))


def best(work: Callable[[], object], runs: int = RUNS) -> float:
    """The shortest time that the work took, in seconds."""
    return min(timed(work) for _ in range(runs))


def timed(work: Callable[[], object]) -> float:
    """How long the work took, in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def say(what: str, seconds: float) -> None:
    print(f"{what:<44} {seconds:8.3f} s")


def judge(what: str, ratio: float, limit: float) -> None:
    """Print the ratio beside its limit; end with exit code 1 if it is over."""
    print(f"{what:<44} {ratio:8.2f}     at most {limit}")
    if ratio > limit:
        sys.exit("over the limit")
