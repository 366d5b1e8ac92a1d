"""A lock on a server that speaks Terraform's protocol, as the backends for remote state do.

LOCK with a LockInfo as JSON: 200 is taken; 423 or 409 is held, with the holder's LockInfo in the body.
UNLOCK with the same LockInfo: 200. The methods can be others: GitLab and Gitea want POST and DELETE.

What servers do differently, and what we make of it:
- GitLab frees any lock when an unlock names no id, and a proxy may drop the body of a DELETE. So the
  id is in the URL, too.
- GitLab's 409 holds only the holder's ID, Who and Created; the rest echoes the request it refuses.
- An id is ours alone, so LOCK can be sent twice: held under our own id is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from reconciler.errors import LockDenied, LockError, LockHeld, LockUnavailable, UsageError
from reconciler.http import (
    Address,
    Answer,
    Basic,
    Client,
    Json,
    Limits,
    Outcome,
    address_of,
    proves_nothing,
)
from reconciler.locks.account import HINT, account
from reconciler.locks.holder import Holder, held_by, holder_of, unlocking
from reconciler.surroundings import Surroundings

LIMITS: Final = Limits(timeout=(5.0, 15.0), body=64 * 1024)
_EXAMPLE: Final = "write it like https://gitlab.example/api/v4/projects/7/terraform/state/nb/lock"
_PATH: Final = re.compile(r"[!-~]*")

_RETRY: Final = "check `lock` in the config, the network and the proxy, then run the command again"
_HINTS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: HINT,
    HTTPStatus.FORBIDDEN: "this account may not lock; GitLab wants the role Maintainer",
    HTTPStatus.NOT_FOUND: "is `lock.url` right? GitLab also hides what an account may not see",
    HTTPStatus.METHOD_NOT_ALLOWED: "check `lock_method` and `unlock_method`: GitLab and Gitea want "
    "POST and DELETE",
}
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_HELD: Final = (HTTPStatus.LOCKED, HTTPStatus.CONFLICT)
_NOT_OURS: Final = (*_HELD, HTTPStatus.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Door:
    """One of the two requests: its method, and its path below the server."""

    method: str
    path: str


def build(options: Mapping[str, object], around: Surroundings) -> HttpLock:
    """From the options `url`, `unlock_url`, the two methods, and `gitlab_job_token`.

    Raises:
        UsageError: An address is none that we would send a credential to, or names another server.
        LockDenied: The credential in the environment is only half there.
    """
    lock = _address(str(options["url"]), "lock.url", around)
    unlock = _address(str(options.get("unlock_url", options["url"])), "lock.unlock_url", around)
    if unlock.origin != lock.origin:
        raise UsageError(
            "lock.unlock_url is on another server than lock.url", hint="a lock has one server"
        )
    doors = (
        Door(str(options["lock_method"]), _path(lock)),
        Door(str(options["unlock_method"]), _path(unlock)),
    )
    auth = account(around.env, gitlab_job_token=bool(options["gitlab_job_token"]))
    return HttpLock(lock, doors, auth)


class HttpLock:
    """One lock of a server."""

    def __init__(self, address: Address, doors: tuple[Door, Door], auth: Basic | None) -> None:
        self._place = address.origin + address.path
        self._lock, self._unlock = doors
        self._auth = auth
        self._client = Client(
            f"{address.origin}/",
            frozenset(door.method for door in doors),
            is_loopback=address.is_loopback,
        )
        self._held: Holder | None = None
        self._surely = False

    def take(self, me: Holder) -> None:
        """Take it now. Raises LockHeld, LockDenied, or LockUnavailable if the server is no help."""
        other = self._try(me)
        if other is not None:
            raise held_by(self._place, other, outlives=True)

    def give_back(self) -> None:
        """Give back what we hold, or may hold. Raises LockDenied or LockUnavailable."""
        holder, self._held = self._held, None
        if holder is not None:
            self._free(holder, surely=self._surely)

    def unlock(self, lock_id: str, me: Holder, confirm: Callable[[str], None]) -> str:
        """Free the lock that is held under this id."""
        holder = self._try(me)
        if holder is None:
            self.give_back()
            return f"nobody holds the lock {self._place}; nothing was done"
        if holder.id not in ("", lock_id):
            raise LockHeld(
                f"the lock {self._place} is held under another id; nothing was freed: {holder}",
                hint="an id belongs to one run; ask whether that one is gone, too",
            )
        confirm(f"{self._place} is held: {holder}\nIs that run gone, and shall its lock be freed?")
        self._free(replace(holder, id=lock_id), surely=True)
        return f"freed the lock {self._place}"

    def _try(self, me: Holder) -> Holder | None:
        """Take it for us; the holder if it is another."""
        self._held, self._surely = me, False
        outcome, doubtful = self._ask(self._lock, me)
        match outcome:
            case Answer(status=HTTPStatus.OK):
                self._surely = True
                return None
            case Answer(status=status) if status in _HELD:
                holder = _holder(outcome, me)
                self._surely = (
                    holder.id == me.id
                )  # our first request came through, its answer did not
                if self._surely:
                    return None
                self._held = None
                return holder
        trouble = self._trouble(outcome, "take")
        if not doubtful:
            self._held = None
            raise trouble
        with suppress(LockError):
            self.give_back()
        # Nothing in this protocol keeps out a request that is still on its way, even if it was freed now.
        raise type(trouble)(
            f"{trouble.message}; it may be held in our name, or come to be, until it is freed, id {me.id}",
            hint=f"{trouble.hint}; should it be held: {unlocking(me)}",
        )

    def _free(self, holder: Holder, *, surely: bool) -> None:
        """Free it; `surely`: it is known to be held under this id."""
        outcome, doubtful = self._ask(self._unlock, holder)
        match outcome:
            case Answer(status=HTTPStatus.OK):
                return
            case Answer(status=status) if status in _NOT_OURS:
                if surely and not doubtful:  # else it was never ours, or our first request freed it
                    raise LockUnavailable(
                        f"the lock {self._place} is not held under the id {holder.id} any more",
                        hint="somebody freed it, and another run may have been at work meanwhile",
                    )
            case _:
                trouble = self._trouble(outcome, "free")
                raise type(trouble)(trouble.message, hint=f"to free it: {unlocking(holder)}")

    def _ask(self, door: Door, holder: Holder) -> tuple[Outcome, bool]:
        """Knock, and once more if that proved nothing; whether one of the two proved nothing."""
        try:
            outcome = self._knock(door, holder)
            if not proves_nothing(outcome):
                return outcome, False
            return self._knock(door, holder), True
        finally:
            # Between taking and freeing lies a whole run: no server keeps an idle connection so long.
            self._client.close()

    def _knock(self, door: Door, holder: Holder) -> Outcome:
        path = door.path
        if door is self._unlock:
            path += ("&" if "?" in path else "?") + urlencode({"ID": holder.id})
        return self._client.ask(door.method, path, self._auth, LIMITS, holder.document())

    def _trouble(self, outcome: Outcome, verb: str) -> LockError:
        """What an answer means that is neither yes nor no. Nothing of its body is quoted."""
        if not isinstance(outcome, Answer):
            return LockUnavailable(self._could_not(verb, outcome.reason), hint=_RETRY)
        said = f"its server answered {outcome.status}"
        if outcome.is_redirect:
            said += ", a redirect, which is not followed"
        kind = LockDenied if outcome.status in _DENIED else LockUnavailable
        hint = _HINTS.get(outcome.status, _RETRY)
        return kind(self._could_not(verb, said), hint=hint)

    def _could_not(self, verb: str, reason: str) -> str:
        return f"could not {verb} the lock {self._place}: {reason}"


def _holder(answer: Answer, me: Holder) -> Holder:
    found = holder_of(answer.content.value if isinstance(answer.content, Json) else None)
    if found.info == me.info:  # an echo: no two runs have one process and one page
        return replace(found, operation="", info="", version="", path="")
    return found


def _address(url: str, name: str, around: Surroundings) -> Address:
    address = address_of(url, name, _EXAMPLE, query=True, allow_http=around.allow_http)
    if not _PATH.fullmatch(address.path + address.query):
        raise UsageError(f"{name} has characters that do not belong there", hint=_EXAMPLE)
    return address


def _path(address: Address) -> str:
    return address.path.removeprefix("/") + (f"?{address.query}" if address.query else "")
