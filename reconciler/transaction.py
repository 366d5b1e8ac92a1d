"""Minting one token as a transaction: preflight, POST, write, read back, done.

A fresh token is disposable, a stored one is not (sinks.md §7). Three rules follow:
- A POST is never sent twice. What it may have left is the next run's to find.
- `SinkRefused` before anything was written: nobody can have the secret, so the token goes at once.
- Anything less certain: the token stays alive, because somebody may already read it.

A fresh token is never used before its receipt is written: being unused is what marks an orphan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.core.changes import Mint, Renew, Target
from reconciler.core.outcome import Result, Status
from reconciler.core.ports import Minted, Sink, TokenApi
from reconciler.core.receipts import Receipt, SinkName, Stored, TokenRef
from reconciler.core.secret import Secret
from reconciler.core.tokens import LiveToken
from reconciler.errors import ApiError, Gone, SinkError, SinkRefused


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, as far as writing needs it.

    Attributes:
        proves: Whether the server accepts a secret; None when the config does not ask for the proof.
    """

    api: TokenApi
    sinks: Mapping[SinkName, Sink]
    proves: Callable[[Secret], bool] | None = None


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
    minted = ports.api.create(effect.spec.user, effect.spec.live_name, effect.days)
    try:
        return _store(effect, minted, targets, ports)
    except Exception as error:  # noqa: BLE001 - a live token is in hand: its id must reach the report
        text = f"stopped by an unexpected {type(error).__name__}; its secret may be stored or not"
        return Result(effect, Status.UNCERTAIN, text, minted.token.id)


def _store(effect: Mint, minted: Minted, targets: list[Target], ports: Ports) -> Result:
    token = minted.token
    flaw = _flaw(effect, minted)
    if flaw:
        return _roll_back(effect, token, flaw, ports)
    receipt = receipt_for(effect, minted)
    written: list[Target] = []
    for target in targets:
        sink = ports.sinks[target.place.sink]
        try:
            sink.put(target.place.key, minted.secret, receipt, target.version)
        except SinkRefused as error:
            if not written:
                return _roll_back(effect, token, error.message, ports)
            return _left(effect, token, f"stored in {_names(written)}, but {error.message}")
        except SinkError as error:
            return _left(effect, token, error.message)
        written.append(target)
    return _prove(effect, minted, targets, receipt, ports)


def _flaw(effect: Mint, minted: Minted) -> str:
    if not minted.secret.is_well_formed():
        return "the server answered with something that is no NetBird token"
    if minted.token.days != effect.days:
        return f"the server made it for {minted.token.days} days instead of {effect.days}"
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
    effect: Mint, minted: Minted, targets: list[Target], receipt: Receipt, ports: Ports
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
    return _retire_now(effect, minted.token, ports)


def _retire_now(effect: Mint, token: LiveToken, ports: Ports) -> Result:
    for old in effect.retire_now if isinstance(effect, Renew) else ():
        try:
            ports.api.revoke(old.user, old.id)
        except Gone:
            continue
        except ApiError as error:
            text = f"stored, but the old token {old.id} is still alive: {error.message}"
            return Result(effect, Status.UNCERTAIN, text, token.id)
    return Result(effect, Status.DONE, token=token.id)


def _names(targets: list[Target]) -> str:
    return ", ".join(str(target.place) for target in targets)
