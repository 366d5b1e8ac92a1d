"""Another program, run as a child: what it is given, how long it may take, what may be told of it.

A secret goes in by stdin alone, never by argv or environment. What a program prints for people is shown
only where it tells nothing of a secret, in any of the encodings that a program might print it in.
"""

from __future__ import annotations

import base64
import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import IO, Final, cast

from reconciler.core.secret import hide_tokens
from reconciler.errors import UsageError
from reconciler.surroundings import Surroundings

_MERCY: Final = 2.0
"""Seconds between asking a program to end and ending it."""
_TOLD: Final = 4096
"""Bytes of what it says to people that are kept."""
_CHUNK: Final = 65536
_TELLING: Final = 8
"""So many characters of a secret in a row are too many to be shown."""
_CODED: Final = re.compile(
    r"[A-Za-z0-9+/=_-]*(?:bmJwX|5icF|uYnBf)[A-Za-z0-9+/=_-]*|6[eE]62705[fF][0-9a-fA-F]*"
)
_WITHHELD: Final = "(what it printed is not shown: it holds a part of the secret)"


class NotStarted(Exception):
    """There is no such program, or it cannot be run. Nothing was done.

    Attributes:
        message: One sentence without a full stop.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a program.

    Attributes:
        status: Its exit code; negative: the signal that ended it. None: we ended it.
        why: Why we ended it; empty if we did not.
    """

    status: int | None
    out: bytes = field(repr=False)
    err: bytes = field(repr=False)
    why: str = ""

    def told(self, secret: str = "") -> str:
        """In one line why it failed, as far as that can be shown."""
        if self.why:
            return self.why
        last = next(reversed(self.lines()), "")
        how = f"signal {-(self.status or 0)}" if (self.status or 0) < 0 else f"exit {self.status}"
        return f"{how}: {shown(last, secret)}" if last else how

    def lines(self) -> list[str]:
        """What it said to people, nothing hidden yet."""
        said = (" ".join(line.split()) for line in self.err.decode(errors="replace").splitlines())
        return [line for line in said if line]


@dataclass(frozen=True, slots=True)
class Program:
    """One command, ready to be run.

    Attributes:
        argv: Its words; nothing in them is secret.
        env: All of the environment that it sees.
        folder: Where it runs.
        timeout: Seconds.
        limit: How many bytes it may print.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    timeout: float = 60.0
    limit: int = 1 << 20

    def run(self, words: Sequence[str] = (), given: bytes = b"") -> Ended:
        """Run it to its end, or end it; nothing that it started in its own group is left behind.

        Raises:
            NotStarted: Nothing was run.
        """
        with self._started([*self.argv, *words]) as child:
            talk = _Talk(child, self.limit)
            talk.begin(given)
            if not talk.ended.wait(self.timeout):
                talk.stop(f"took longer than {self.timeout:g} s")
            return talk.outcome()

    @contextmanager
    def _started(self, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        try:
            child = subprocess.Popen(  # noqa: S603 - the operator's own program, from the config
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(self.env),
                cwd=self.folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "a word with a NUL byte"
            raise NotStarted(f"{argv[0]} cannot be run: {why}") from None
        with suppress(AttributeError, OSError):  # before the secret is in it; Linux has this call
            resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
        try:
            yield child
        finally:
            if child.poll() is None:  # an interrupt; else its number may be another's by now
                _kill(child, signal.SIGKILL)
                child.wait()


class _Talk:
    """What goes in and comes out, each by a thread of its own, so that nothing waits for another."""

    def __init__(self, child: subprocess.Popen[bytes], limit: int) -> None:
        self.ended = Event()
        self._child = child
        self._why = ""
        self._out, self._err = bytearray(), bytearray()
        self._limit = limit
        self._readers: list[Thread] = []

    def begin(self, given: bytes) -> None:
        child = self._child
        self._readers = [
            _thread(self._read, child.stdout, self._take),
            _thread(self._read, child.stderr, self._hear),
        ]
        _thread(self._write, given)
        _thread(self._wait)

    def stop(self, why: str) -> None:
        """End it, gently at first."""
        self._why = self._why or why
        _kill(self._child, signal.SIGTERM)
        if not self.ended.wait(_MERCY):
            _kill(self._child, signal.SIGKILL)
            self.ended.wait()

    def outcome(self) -> Ended:
        """A program that left another one running, which has its pipes, has ended all the same."""
        for reader in self._readers:
            reader.join(_MERCY)
        status = None if self._why else self._child.returncode
        return Ended(status, bytes(self._out), bytes(self._err), self._why)

    def _wait(self) -> None:
        self._child.wait()
        _kill(self._child, signal.SIGKILL)  # whatever else is in its group
        self.ended.set()

    def _write(self, given: bytes) -> None:
        stdin = self._child.stdin
        assert stdin  # noqa: S101 - it was asked for
        with suppress(OSError, ValueError), stdin:  # one that does not read, says so by its answer
            stdin.write(given)

    def _read(self, stream: IO[bytes], take: Callable[[bytes], None]) -> None:
        with suppress(OSError, ValueError), stream:
            while chunk := os.read(stream.fileno(), _CHUNK):
                take(chunk)

    def _take(self, chunk: bytes) -> None:
        if len(self._out) + len(chunk) > self._limit:
            if not self._why:
                self._why = f"printed more than {self._limit >> 10} KiB"
                _thread(self.stop, self._why)
            return
        self._out += chunk

    def _hear(self, chunk: bytes) -> None:
        self._err += chunk
        del self._err[:-_TOLD]


def seen_by_child(around: Surroundings, options: Mapping[str, object]) -> dict[str, str]:
    """The environment of a program, with what the option `env` lists. Raises UsageError."""
    listed = cast("list[str]", options.get("env", []))
    if ours := sorted({"NB_PAT", "NETBIRD_API_TOKEN"} & set(listed)):
        raise UsageError(
            f"the config wants to show {ours[0]} to a program of a sink",
            hint="take it out of `env`: our own credential is for nobody else",
        )
    return around.for_child(listed)


def shown(text: str, secret: str = "") -> str:
    """The text, if it tells nothing of the secret, and with every other token blacked out.

    A token that is not known is known by its first four characters, in base64 and hex, too.
    """
    letters = "".join(each for each in text if each.isalnum()).lower()
    for form in _forms(secret):
        for at in range(len(form) - _TELLING + 1):
            if form[at : at + _TELLING] in letters:
                return _WITHHELD
    return hide_tokens(_CODED.sub("***", text))


def _forms(secret: str) -> Iterator[str]:
    """How a program might print it: as it is, backwards, in hex, in base64 wherever that begins."""
    body = secret.removeprefix("nbp_")
    if not body:
        return
    plain = body.encode(errors="surrogatepass")
    yield from (body.lower(), body[::-1].lower(), plain.hex())
    for before in range(3):
        for text in (plain, secret.encode(errors="surrogatepass")):
            coded = base64.b64encode(bytes(before) + text).decode()[4:-4]
            yield "".join(each for each in coded if each.isalnum()).lower()


def _thread(target: Callable[..., None], *given: object) -> Thread:
    thread = Thread(target=target, args=given, daemon=True)
    thread.start()
    return thread


def _kill(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
