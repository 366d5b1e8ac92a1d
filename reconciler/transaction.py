"""Minting one token as a transaction: preflight, POST, election, write, read back, done.

A fresh token is disposable, a stored one is not (sinks.md §7). Five rules follow:
- A POST is never sent twice. What it may have left is the next run's to find.
- `SinkRefused` before anything was written: nobody can have the secret, so the token goes at once.
- Anything less certain: the token stays alive, because somebody may already read it.
- A fresh token is never used before its receipt is written: being unused is what marks an orphan.
- No write starts later than `WINDOW` after the POST: by then others may take the token for an orphan.

`PROTOCOL.md` beside this file has the whole protocol, its invariants and its limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.core.changes import Mint, Renew, Target
from reconciler.core.outcome import Result, Status
from reconciler.core.ports import Minted, Power, Sink, TokenApi
from reconciler.core.receipts import Receipt, SinkName, Stored, TokenRef
from reconciler.core.secret import Secret
from reconciler.core.tokens import LiveToken
from reconciler.election import SETTLE, objection
from reconciler.errors import ApiError, Gone, SinkError, SinkRefused

WINDOW: Final = 300.0
"""Seconds. A third of the grace: the write itself, and clocks that differ, have room in the rest."""

_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def awake_or_not() -> float:
    """Seconds that also count while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, as far as writing needs it.

    Attributes:
        proves: Whether the server accepts a secret; None when the config does not ask for the proof.
        clock: Seconds from any start; for intervals within this run.
        pause: Waits so many seconds.
        deploys: Whether a deploy hook is to run for each new secret; its receipt says so until it has.
    """

    api: TokenApi
    sinks: Mapping[SinkName, Sink]
    proves: Callable[[Secret], bool] | None = None
    clock: Callable[[], float] = awake_or_not
    pause: Callable[[float], None] = time.sleep
    deploys: bool = False


def mint(effect: Mint, ports: Ports) -> Result:
    """Make the token and bring its secret into every sink.

    Raises:
        Uncertain: The POST was sent and no answer came; a token may exist.
        NetbirdTokensError: Anything else that came before a token existed: nothing was changed.
    """
    targets = sorted(
        effect.targets, key=lambda target: (ports.sinks[target.place.sink].power, target.place)
    )
    for target in targets:
        ports.sinks[target.place.sink].preflight(target.place.key)
    began = ports.clock()
    minted = ports.api.create(effect.spec.user, effect.spec.live_name, effect.days)
    try:
        return _store(effect, minted, _Writes(targets, began + WINDOW), ports)
    except Exception as error:  # noqa: BLE001 - a live token is in hand: its id must reach the report
        text = f"stopped by an unexpected {type(error).__name__}; its secret may be stored or not"
        return Result(effect, Status.UNCERTAIN, text, minted.token.id)


@dataclass(frozen=True, slots=True)
class _Writes:
    """Where the secret goes, the safest sinks first, and when the last write may start."""

    targets: Sequence[Target]
    deadline: float


def _store(effect: Mint, minted: Minted, writes: _Writes, ports: Ports) -> Result:
    token = minted.token
    flaw = flaw_of(minted, effect.spec.live_name, effect.days) or _lost_election(
        minted, writes, ports
    )
    if flaw:
        return _roll_back(effect, token, flaw, ports)
    receipt = replace(receipt_for(effect, minted), undeployed=ports.deploys)
    written: list[Target] = []
    for target in writes.targets:
        try:
            _check_time(target, writes.deadline, ports)
            ports.sinks[target.place.sink].put(
                target.place.key, minted.secret, receipt, target.version
            )
        except SinkRefused as error:
            if not written:
                return _roll_back(effect, token, error.message, ports)
            return _left(effect, token, f"stored in {_names(written)}, but {error.message}")
        except SinkError as error:
            return _left(effect, token, error.message)
        written.append(target)
    return _prove(effect, minted, receipt, writes.targets, ports)


def _check_time(target: Target, deadline: float, ports: Ports) -> None:
    if ports.clock() > deadline:
        raise SinkRefused(
            f"{target.place} was not written: more than {WINDOW:.0f} s after the token was made"
        )


def _lost_election(minted: Minted, writes: _Writes, ports: Ports) -> str:
    """Where a sink cannot refuse the later of two writers, only one run may go on."""
    powers = {ports.sinks[target.place.sink].power for target in writes.targets}
    if Power.WRITE_ONLY not in powers:
        return ""
    ports.pause(SETTLE)
    try:
        return objection(minted.token, ports.api.tokens(minted.token.user))
    except ApiError as error:
        return f"nobody can say whether another run is at work: {error.message}"


def flaw_of(minted: Minted, live_name: str, days: int) -> str:
    """What is wrong with a new token, measured by what was asked for; empty when nothing is."""
    if not minted.secret.is_well_formed():
        return "the server answered with something that is no NetBird token"
    if minted.token.days != days:
        return f"the server made it for {minted.token.days} days instead of {days}"
    if minted.token.name != live_name:
        return f"the server made it under another name than {live_name!r}"
    return ""


def receipt_for(effect: Mint, minted: Minted) -> Receipt:
    """What every sink will say about this token."""
    spec, token = effect.spec, minted.token
    return Receipt(
        token=TokenRef(token.user, token.id),
        set=spec.set,
        name=spec.name,
        created_at=token.created_at,
        expires_at=token.expires_at,
        fingerprint=minted.secret.fingerprint(),
        rotation=spec.rotation,
        protect=spec.protect,
        predecessors=effect.predecessors,
    )


def _roll_back(effect: Mint, token: LiveToken, cause: str, ports: Ports) -> Result:
    """Nobody can hold the secret: revoke it in the run that minted it."""
    try:
        ports.api.revoke(token.user, token.id)
    except Gone:
        pass
    except ApiError as error:
        text = f"{cause}; and it could not be revoked: {error.message}"
        return Result(effect, Status.UNCERTAIN, text, token.id)
    return Result(effect, Status.ROLLED_BACK, cause, token.id)


def _left(effect: Mint, token: LiveToken, cause: str) -> Result:
    return Result(effect, Status.UNCERTAIN, f"{cause}; the token stays alive", token.id)


def _prove(
    effect: Mint, minted: Minted, receipt: Receipt, targets: Sequence[Target], ports: Ports
) -> Result:
    for target in targets:
        try:
            found = ports.sinks[target.place.sink].read(target.place.key)
        except SinkError as error:
            return _left(effect, minted.token, f"written, but not read back: {error.message}")
        if not isinstance(found, Stored) or found.receipt != receipt:
            text = f"{target.place} does not say what was written; another run may be at work"
            return _left(effect, minted.token, text)
    if ports.proves is not None:
        try:
            if not ports.proves(minted.secret):
                return _left(effect, minted.token, "stored, but the server does not accept it")
        except ApiError as error:
            return _left(effect, minted.token, f"stored, but not verified: {error.message}")
    if isinstance(effect, Renew):
        return _succeed(effect, minted, ports)
    return Result(effect, Status.DONE, token=minted.token.id)


def _succeed(effect: Renew, minted: Minted, ports: Ports) -> Result:
    """Take over from the old token: as the credential of this run, and at once if it must go."""
    token = minted.token
    if effect.own:
        try:
            ports.api.switch(minted.secret)
        except ApiError as error:
            return _left(effect, token, f"stored, but this run goes on as before: {error.message}")
    for old in effect.retire_now:
        try:
            ports.api.revoke(old.user, old.id)
        except Gone:
            continue
        except ApiError as error:
            text = f"stored, but the old token {old.id} is still alive: {error.message}"
            text += f"; {_heirs(effect)}" if effect.own else ""
            return Result(effect, Status.UNCERTAIN, text, token.id)
    return Result(effect, Status.DONE, _handover(effect) if effect.own else "", token.id)


def _handover(effect: Renew) -> str:
    """What people must do when the credential of this run has a successor: nobody else can."""
    old = ", ".join(token.id for token in effect.retire_now or (effect.old,))
    by = f"{effect.old.expires_at:%Y-%m-%d}"
    fate = "revoked" if effect.retire_now else f"superseded, gone by {by}"
    return f"what this run signed in with, or may have, is {fate} ({old}): {_heirs(effect)}"


def _heirs(effect: Renew) -> str:
    return f"whatever holds it, such as NB_PAT, needs the new secret from {_names(effect.targets)}"


def _names(targets: Sequence[Target]) -> str:
    return ", ".join(str(target.place) for target in targets)
