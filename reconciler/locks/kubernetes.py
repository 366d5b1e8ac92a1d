"""A lock in a cluster: a Lease that names who holds it. It can outlive the run that took it.

Every change names the resourceVersion that was seen, so of two runs one gets it. An answer that was lost is
looked into: a Lease that bears our id is ours. Where it does not, and has the resourceVersion of our request
still, that may take effect later: people are told, with the way out. The Lease itself stays when it is given
back. All times are the server's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from reconciler.errors import LockDenied, LockError, LockHeld, LockUnavailable
from reconciler.http import Answer, Limits, Outcome, Stage, printable, proves_nothing
from reconciler.kubernetes import Cluster, cluster_of, is_missing, why_not
from reconciler.locks.holder import Holder, held_by, unlocking
from reconciler.locks.lease import GROUP, RELEASED, Change, Lease, lease_in
from reconciler.locks.renewal import Renewal
from reconciler.surroundings import Surroundings

LIMITS: Final = Limits(timeout=(5.0, 15.0), body=256 * 1024)
_METHODS: Final = frozenset({"GET", "POST", "PATCH"})
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}
_MANAGER: Final = "?fieldManager=netbird-tokens"
_TRIES: Final = 4
_UNITS: Final = {"m": "minutes", "h": "hours"}
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_CHANGED: Final = ("Conflict", "AlreadyExists")
_RIGHTS: Final = "may the user of this kubeconfig get, create and patch leases in this namespace?"
_RETRY: Final = "check `lock` in the config, the kubeconfig and the network, then run it again"


def build(options: Mapping[str, object], around: Surroundings) -> LeaseLock:
    """From the options `name`, `expires_after`, and those of every cluster.

    Raises:
        UsageError: There is no kubeconfig, or it cannot be used.
    """
    written = options.get("expires_after")
    lasts = None
    if written is not None:
        text = str(written)
        lasts = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    return LeaseLock(cluster_of(options, around), str(options["name"]), lasts)


class LeaseLock:
    """One Lease of one namespace.

    Args:
        cluster: Where it is.
        name: Of the Lease.
        lasts: How long others respect it after the run died; None: until it is given back, or freed by hand.
    """

    def __init__(self, cluster: Cluster, name: str, lasts: timedelta | None) -> None:
        self._name = name
        self._lasts = lasts
        self._place = f"lease {cluster.namespace}/{name}"
        namespace = quote(cluster.namespace, safe="")
        self._door = cluster.door(f"apis/{GROUP}/v1/namespaces/{namespace}/leases", _METHODS, 2)
        self._held: Holder | None = None
        self._surely = False
        self._doubt: Outcome | None = None
        self._under_way: frozenset[str | None] = frozenset()
        self._until: datetime | None = None
        self._renewal: Renewal | None = None

    def take(self, me: Holder) -> None:
        """Take it now. Raises LockHeld, LockDenied, or LockUnavailable if the server is no help."""
        self._held, self._surely, self._doubt = me, False, None
        self._under_way, self._until = frozenset(), None
        try:
            other = self._try(me)
        except LockError as trouble:
            raise self._left_behind(trouble, me) from None
        finally:
            self._door.close()  # between taking and freeing lies a whole run
        self._surely = other is None
        if other is not None:
            self._held = None
            raise held_by(self._place, other, outlives=True)
        if self._lasts is not None:
            self._renewal = Renewal(lambda: self._is_renewed(me.id), self._lasts)

    def give_back(self) -> None:
        """Give back what we hold, or may hold. Raises LockDenied or LockUnavailable."""
        holder, self._held = self._held, None
        if self._renewal is not None:
            self._renewal.stop()
        if holder is not None:
            self._free(holder.id, surely=self._surely)

    def unlock(self, lock_id: str, me: Holder, confirm: Callable[[str], None]) -> str:  # noqa: ARG002 - the port's; a look needs no name
        """Free the lock that is held under this id."""
        try:
            holder = self._look().holder
        finally:
            self._door.close()
        if holder is None:
            return f"nobody holds the lock {self._place}; nothing was done"
        if holder.id != lock_id:
            raise LockHeld(
                f"the lock {self._place} is held under another id; nothing was freed: {holder}",
                hint="an id belongs to one run; ask whether that one is gone, too",
            )
        confirm(f"{self._place} is held: {holder}\nIs that run gone, and shall its lock be freed?")
        self._free(lock_id, surely=True)
        return f"freed the lock {self._place}"

    def _try(self, me: Holder) -> Holder | None:
        """Take it for us; the holder if it is another."""

        def taken(lease: Lease) -> bool:
            return lease.named == me.id  # our request came through, its answer did not

        for _ in range(_TRIES):
            lease = self._look()
            if taken(lease):
                return None
            if lease.holder is not None:
                return lease.holder
            if lease.now is not None and self._lasts is not None:
                self._until = lease.now + self._lasts
            if self._is_written(lease, lease.taken_by(me, self._lasts), "take"):
                return None
        if taken(self._look()):
            return None
        raise self._trouble(self._doubt, "take")

    def _left_behind(self, trouble: LockError, me: Holder) -> LockError:
        """The error for one who could not take it: nothing stays held in our name, or it is told."""
        if self._doubt is None:
            self._held = None
            return trouble
        try:
            self.give_back()
        except LockError:
            how_long = self._how_long()
            return type(trouble)(
                f"{trouble.message}; it may be held in our name, or come to be, {how_long}, id {me.id}",
                hint=f"{trouble.hint}; should it be held: {unlocking(me)}",
            )
        return trouble

    def _how_long(self) -> str:
        if self._until is None:
            return "until it is freed"
        return f"until {self._until:%Y-%m-%d %H:%M:%S} UTC"

    def _is_renewed(self, lock_id: str) -> bool:
        """Whether it is still ours; what became of the request, the next look tells. Raises LockError."""
        try:
            lease = self._look()
            if lease.named != lock_id:
                return False
            if lease.now is not None:
                self._sent(lease, lease.renewed())
        finally:
            self._door.close()
        return True

    def _free(self, lock_id: str, *, surely: bool) -> None:
        """Free it; `surely`: it is known to be held under this id."""
        self._doubt = None
        try:
            for _ in range(_TRIES):
                lease = self._look()
                if lease.named != lock_id:
                    self._check_under_way(lease, lock_id)
                    break
                if self._is_written(lease, RELEASED, "free"):
                    return
            else:
                raise self._trouble(self._doubt, "free")
        except LockError as trouble:
            hint = f"to free it: {unlocking(Holder(lock_id))}"
            raise type(trouble)(trouble.message, hint=hint) from None
        finally:
            self._door.close()
        if surely and self._doubt is None:  # else it was never ours, or our first request freed it
            raise LockUnavailable(
                f"the lock {self._place} is not held under the id {lock_id} any more",
                hint="somebody freed it, and another run may have been at work meanwhile",
            )

    def _check_under_way(self, lease: Lease, lock_id: str) -> None:
        """Raises LockUnavailable if a request of ours that took no effect yet still may."""
        if lease.version in self._under_way:
            raise LockUnavailable(
                f"the lock {self._place} may still come to be held under the id {lock_id}, "
                f"{self._how_long()}: a request got no answer"
            )

    def _look(self) -> Lease:
        outcome = self._ask("GET", f"/{quote(self._name)}")
        if proves_nothing(outcome):
            outcome = self._ask("GET", f"/{quote(self._name)}")
        found = lease_in(outcome, self._name)
        if found is None:
            raise self._trouble(outcome, "read")
        return found

    def _is_written(self, lease: Lease, change: Change, verb: str) -> bool:
        """Whether it was; False: look again. Raises LockError for a clear no."""
        before = self._under_way
        self._under_way = before | {lease.version}  # before it is sent: a signal may cut us off
        outcome = self._sent(lease, change)
        if not proves_nothing(outcome):
            self._under_way = before
        match outcome:
            case Answer(status=HTTPStatus.OK | HTTPStatus.CREATED):
                return True
            case Answer() if why_not(outcome) in _CHANGED or is_missing(outcome, self._name):
                return False
            case _ if proves_nothing(outcome):
                self._doubt = outcome
                return False
            case _:
                raise self._trouble(outcome, verb)

    def _sent(self, lease: Lease, change: Change) -> Outcome:
        """One change, on condition that the Lease is as it was seen."""
        if lease.version is None:
            body = {"apiVersion": f"{GROUP}/v1", "kind": "Lease", **change}
            return self._ask("POST", _MANAGER, body | _about(change, name=self._name))
        body = {**change, "metadata": {**change["metadata"], "resourceVersion": lease.version}}
        return self._ask("PATCH", f"/{quote(self._name)}{_MANAGER}", body, _MERGE)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        return self._door.ask(method, path, None, LIMITS, body, headers)

    def _trouble(self, outcome: Outcome | None, verb: str) -> LockError:
        """What came of it that is neither yes nor no; None: it was another's each time we looked."""
        denied = False
        if outcome is None:
            reason = "it keeps changing"
        elif isinstance(outcome, Answer):
            said = f": {printable(outcome.message)}" if outcome.message else ""
            reason = f"its server answered {outcome.status}{said}"
            denied = outcome.status in _DENIED
        else:
            reason, denied = outcome.reason, outcome.stage is Stage.UNSIGNED
        kind = LockDenied if denied else LockUnavailable
        message = f"could not {verb} the lock {self._place}: {reason}"
        return kind(message, hint=_RIGHTS if denied else _RETRY)


def _about(change: Change, **more: object) -> dict[str, object]:
    return {"metadata": {**change["metadata"], **more}}
