"""Who holds a lock: the facts that a run leaves for the others, in the shape of Terraform's LockInfo."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler import __version__
from reconciler.errors import LockHeld
from reconciler.http import printable
from reconciler.surroundings import job_of, who_runs

_PATIENCE: Final = "wait for it to end, or give it time with --lock-timeout SECONDS"


@dataclass(frozen=True, slots=True)
class Holder:
    """One run, as it describes itself. Of another run all is hearsay: shown, never judged.

    Attributes:
        id: Random; who wants to free the lock must know it. Empty when the holder is unknown.
        operation: The command, such as `apply`.
        info: Its process, and the page of its run if it runs in CI.
        who: User and host.
        version: Of the program.
        created: When it took the lock, RFC 3339, by its own clock.
        path: Terraform's; ours is empty.
    """

    id: str
    operation: str = ""
    info: str = ""
    who: str = ""
    version: str = ""
    created: str = ""
    path: str = ""

    def document(self) -> dict[str, object]:
        """As Terraform writes it; all keys are there, as GitLab wants them."""
        return {
            "ID": self.id,
            "Operation": self.operation,
            "Info": self.info,
            "Who": self.who,
            "Version": self.version,
            "Created": self.created,
            "Path": self.path,
        }

    def __str__(self) -> str:
        """One line that is safe to print."""
        who = " by ".join(printable(part) for part in (self.operation, self.who) if part)
        info = f" ({printable(self.info, 300)})" if self.info else ""
        since = f" since {printable(self.created, 40)}" if self.created else ""
        known = f"id {printable(self.id)}" if self.id else "it does not say who it is"
        return f"{who}{info}{since}, {known}".removeprefix(", ")


def holder_of(document: object) -> Holder:
    """The holder in a JSON document; what it does not say, or not as text, is empty."""
    keys = Holder("").document()
    found = document if isinstance(document, Mapping) else {}
    return Holder(*(value if isinstance(value := found.get(key), str) else "" for key in keys))


def this_run(operation: str, env: Mapping[str, str], now: datetime) -> Holder:
    """Ourselves, under a new id."""
    url = job_of(env).url
    return Holder(
        id=str(uuid.uuid4()),
        operation=operation,
        info=f"process {os.getpid()}" + (f", {url}" if url else ""),
        who=who_runs(),
        version=f"netbird-tokens {__version__}",
        created=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def held_by(place: str, holder: Holder, *, outlives: bool) -> LockHeld:
    """The error for one who comes second; `outlives`: the lock can outlive the run that took it."""
    freeing = f"; if that run is gone: {unlocking(holder)}" if outlives and holder.id else ""
    return LockHeld(f"another run holds the lock {place}: {holder}", hint=_PATIENCE + freeing)


def unlocking(holder: Holder) -> str:
    """The command that frees a holder's lock, to be copied into a shell."""
    return f"netbird-tokens unlock {shlex.quote(printable(holder.id))}"
