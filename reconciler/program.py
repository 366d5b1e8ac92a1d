"""Another program, run as a child: what it is given, how long it may take, what may be told of it.

A secret goes in by stdin alone, never by argv or environment. What a program prints for people is shown
only where it tells nothing of a secret, in any of the encodings that a program might print it in.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from reconciler.child import Child, NotStarted
from reconciler.core.secret import hide_tokens
from reconciler.errors import UsageError
from reconciler.surroundings import Surroundings

__all__ = ["Ended", "NotStarted", "Program", "seen_by_child", "shown"]

_TELLING: Final = 8
"""So many characters of a secret in a row are too many to be shown."""
_CODED: Final = re.compile(
    r"[A-Za-z0-9+/=_-]*(?:bmJwX|5icF|uYnBf)[A-Za-z0-9+/=_-]*|6[eE]62705[fF][0-9a-fA-F]*"
)
_WITHHELD: Final = "(what it printed is not shown: it holds a part of the secret)"


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a program.

    Attributes:
        status: Its exit code; negative: the signal that ended it. None: see `why`.
        why: Why we ended it, or cannot tell what it printed; else empty.
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
        unheard: Its stdout goes nowhere, its stderr where ours goes; what it leaves running when it ends
            by itself is let be.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    timeout: float = 60.0
    limit: int = 1 << 20
    unheard: bool = False

    def run(self, words: Sequence[str] = (), given: bytes = b"") -> Ended:
        """Run it to its end, or end it; nothing that it started in its own group is left behind, unless
        it is `unheard`.

        Raises:
            NotStarted: Nothing was run.
        """
        argv = [*self.argv, *words]
        limit = None if self.unheard else self.limit
        child = Child(lambda: self._started(argv), given, limit)
        status = child.live(self.timeout)
        return Ended(status, bytes(child.out), bytes(child.err), child.why)

    def _started(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - the operator's own program, from the config
                [_coded(word) for word in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL if self.unheard else subprocess.PIPE,
                stderr=None if self.unheard else subprocess.PIPE,
                env={_coded(name): _coded(value) for name, value in self.env.items()},
                cwd=self.folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "a word with a NUL byte"
            raise NotStarted(f"{argv[0]} cannot be run: {why}") from None


def _coded(word: str) -> bytes:
    """As files have it and programs expect it, whatever the locale is."""
    return word.encode(errors="surrogateescape")


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
