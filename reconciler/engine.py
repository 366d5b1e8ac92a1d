"""Carries out effects; the only writer. Concurrent across tokens, one token at a time within.

Five phases: registrations, then everything that makes or notes, then the credential that we run with,
and with its successor everything that takes away; last the traces of what is gone.
Tokens are independent transactions: one that fails does not stop the others. The run stops starting
new ones when our credential is refused, when the server keeps failing, or when a person says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from threading import Lock
from typing import Final, assert_never

from reconciler.core.changes import Amend, Clean, Create, Effect, Register, Renew, Revoke
from reconciler.core.outcome import Outcome, Result, Status
from reconciler.core.receipts import SinkName
from reconciler.core.subjects import name_of
from reconciler.core.tokens import LiveToken
from reconciler.errors import (
    Forbidden,
    Gone,
    NetbirdTokensError,
    SinkError,
    SinkUnsure,
    Unauthenticated,
    Unavailable,
    Uncertain,
    Unwritten,
)
from reconciler.transaction import Ports, mint

CONCURRENCY: Final = 8
_PATIENCE: Final = 3
"""After so many effects in a row that the server did not answer, no more are started."""


class _Phase(Enum):
    """In this order; each begins when the one before has ended."""

    REGISTER = "register"
    MAKE = "make"
    OWN = "own"
    """The credential that we run with, one after the other: each switches to its successor."""
    TAKE = "take"
    TIDY = "tidy"


def _silent(_: Result) -> None:
    return None


def _unasked(_: Effect) -> None:
    return None


def _never() -> bool:
    return False


class Engine:
    """One run over one plan's effects.

    Attributes:
        tell: Called with every result as it comes, one at a time.
        stopped: Asked before an effect is started; True lets what is in flight finish, no more.
        begin: Called before an effect may change anything, by several threads. Where it raises Unwritten,
            that effect and all later ones change nothing.
    """

    def __init__(
        self,
        ports: Ports,
        tell: Callable[[Result], None] = _silent,
        stopped: Callable[[], bool] = _never,
        concurrency: int = CONCURRENCY,
        begin: Callable[[Effect], None] = _unasked,
    ) -> None:
        self._ports = ports
        self._tell = tell
        self._stopped = stopped
        self._concurrency = concurrency
        self._begin = begin
        self._lock = Lock()
        self._halt = ""
        self._failures = 0
        self._unregistered: set[SinkName] = set()
        self._running: dict[int, str] = {}

    def in_flight(self) -> tuple[str, ...]:
        """Names of the effects that are being carried out at this moment."""
        return tuple(self._running.values())

    def apply(self, effects: Sequence[Effect]) -> Outcome:
        """Carry out all effects, or as many as may be started; never raises for one of them."""
        results: dict[int, Result] = {}
        for phase in _Phase:
            width = 1 if phase is _Phase.OWN else self._concurrency
            results.update(self._run(_members(phase, effects), width))
        ordered = tuple(results[index] for index in sorted(results))
        return Outcome(ordered, interrupted=self._stopped())

    def _run(self, phase: Mapping[int, Effect], width: int) -> dict[int, Result]:
        if not phase:
            return {}
        with ThreadPoolExecutor(width) as pool:
            futures = {index: pool.submit(self._one, index, e) for index, e in phase.items()}
            return {index: future.result() for index, future in futures.items()}

    def _one(self, index: int, effect: Effect) -> Result:
        obstacle = self._obstacle(effect)
        if obstacle:
            result = Result(effect, Status.SKIPPED, obstacle)
        else:
            self._running[index] = name_of(effect)
            result = self._carry_out(effect)
            del self._running[index]
        with self._lock, suppress(Exception):  # what is said about a result never changes it
            self._tell(result)
        return result

    def _obstacle(self, effect: Effect) -> str:
        if self._stopped():
            return "not started: interrupted"
        if isinstance(effect, Create | Renew):
            lost = {target.place.sink for target in effect.targets} & self._unregistered
            if lost:
                return f"not started: sink {min(lost)} could not be registered"
        return self._halt

    def _carry_out(self, effect: Effect) -> Result:
        try:
            self._begin(effect)
            result = self._dispatch(effect)
        except NetbirdTokensError as error:
            result = _ended_by(effect, error)
            self._note(error)
        else:
            self._failures = 0
        if result.status is not Status.DONE and isinstance(effect, Register):
            self._unregistered.add(effect.sink)
        return result

    def _note(self, error: NetbirdTokensError) -> None:
        if isinstance(error, Unauthenticated):
            self._halt = "not started: our credential was refused"
        elif isinstance(error, Unwritten):
            self._halt = f"not started: {error.message}"
        elif isinstance(error, Unavailable | Uncertain):
            self._failures += 1
            if self._failures >= _PATIENCE:
                self._halt = "not started: the server keeps failing"

    def _dispatch(self, effect: Effect) -> Result:
        match effect:
            case Create() | Renew():
                return mint(effect, self._ports)
            case Register():
                self._ports.sinks[effect.sink].register(effect.registration)
            case Amend():
                for target in effect.targets:
                    sink = self._ports.sinks[target.place.sink]
                    sink.amend(target.place.key, effect.after, target.version)
            case Revoke():
                return self._revoke(effect)
            case Clean():
                return self._clean(effect)
            case _:
                assert_never(effect)
        return Result(effect, Status.DONE)

    def _revoke(self, effect: Revoke) -> Result:
        token = effect.token
        with suppress(Gone):  # somebody else was faster; what we wanted is so
            if effect.if_idle and self._was_used(token):
                return Result(effect, Status.SKIPPED, "left alone: used since the plan was made")
            self._ports.api.revoke(token.user, token.id)
        return self._cleaned(effect)

    def _clean(self, effect: Clean) -> Result:
        for ref in effect.gone:
            with suppress(Gone):
                self._ports.api.token(ref.user, ref.id)
                text = f"left alone: the server still has {ref.id}, which only this receipt names"
                return Result(effect, Status.FAILED, text)
        self._ports.sinks[effect.place.sink].delete(effect.place.key, effect.token.id)
        return Result(effect, Status.DONE)

    def _was_used(self, token: LiveToken) -> bool:
        return self._ports.api.token(token.user, token.id).last_used != token.last_used

    def _cleaned(self, effect: Revoke) -> Result:
        for place in effect.cleanup:
            try:
                self._ports.sinks[place.sink].delete(place.key, effect.token.id)
            except SinkError as error:
                text = f"revoked, but {place} still holds its secret: {error.message}"
                return Result(effect, Status.UNCERTAIN, text)
        return Result(effect, Status.DONE)


def _ended_by(effect: Effect, error: NetbirdTokensError) -> Result:
    text = f"{error.message}; {error.hint}" if error.hint else error.message
    if isinstance(error, SinkUnsure | Uncertain):
        return Result(effect, Status.UNCERTAIN, text)
    denied = isinstance(error, Unauthenticated | Forbidden)
    return Result(effect, Status.FAILED, text, denied=denied)


def _members(phase: _Phase, effects: Sequence[Effect]) -> dict[int, Effect]:
    return {i: effect for i, effect in enumerate(effects) if _phase_of(effect) is phase}


def _phase_of(effect: Effect) -> _Phase:
    match effect:
        case Register():
            return _Phase.REGISTER
        case Renew(own=True):
            return _Phase.OWN
        case Create() | Renew() | Amend():
            return _Phase.MAKE
        case Revoke():
            return _Phase.TAKE
        case Clean():
            return _Phase.TIDY
        case _:
            assert_never(effect)
