"""The operator's commands after a run. Their argv comes from the config alone, never from a plan.

A secret that a deploy hook must run for says so in its receipts, from the write that stores it until the
hook has succeeded. So whatever comes in between, the next run calls the hook, on any machine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.changes import Create, Renew
from reconciler.core.outcome import Outcome, Status
from reconciler.core.receipts import Place, Stored
from reconciler.core.tokens import TokenId, Unread
from reconciler.core.world import World
from reconciler.errors import ExitCode, SinkError, SinkUnread
from reconciler.reports.escape import terminal
from reconciler.source.config import Argv, Hooks
from reconciler.surroundings import INHERITED
from reconciler.transaction import Ports

_TIMEOUT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Due:
    """A stored secret that no deploy hook has succeeded for."""

    name: str
    token: TokenId
    places: tuple[Place, ...]


def started(argv: Argv, names: Sequence[str], desk: Desk) -> bool:
    """Start a hook, with the names of the entries on its stdin; whether it succeeded."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the config
            argv,
            input="".join(f"{name}\n" for name in names),
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            text=True,
            timeout=_TIMEOUT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        desk.note(f"hook {argv[0]} failed: {type(error).__name__}")
        return False
    if done.returncode:
        desk.note(f"hook {argv[0]} failed with exit code {done.returncode}")
    return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Which hooks there are, and what earlier runs left for them.

    Attributes:
        succeeds: Starts one hook and waits for it.
    """

    hooks: Hooks
    earlier: tuple[Due, ...] = ()
    succeeds: Callable[[Argv, Sequence[str], Desk], bool] = started


def left_for(wanted: Hooks, world: World) -> Calls:
    """What the sinks say of the hooks of earlier runs; a secret that is not whole waits for its own."""
    return Calls(wanted, tuple(_waiting(world)) if wanted.deploy else ())


def _waiting(world: World) -> Iterator[Due]:
    for spec in world.wanted.specs:
        found = [world.at(place) for place in spec.places]
        receipts = [each.receipt for each in found if isinstance(each, Stored)]
        tokens = {receipt.token.id for receipt in receipts if receipt.set == spec.set}
        if len(receipts) == len(found) and len(tokens) == 1 and any(r.undeployed for r in receipts):
            yield Due(spec.name, tokens.pop(), spec.places)


def named(due: Collection[Due]) -> str:
    """Their names, to be read."""
    return ", ".join(terminal(each.name) for each in due)


def run(calls: Calls, outcome: Outcome, ports: Ports, desk: Desk, code: ExitCode) -> ExitCode:
    """Run what fits the outcome: `deploy` after secrets were stored, `failure` after a failed run."""
    latest = {each.places: each for each in (*calls.earlier, *_stored(outcome))}
    due, wanted = tuple(latest.values()), calls.hooks
    names = [each.name for each in due]
    failed = [argv for argv in wanted.deploy if due and not calls.succeeds(argv, names, desk)]
    if failed:
        desk.note(f"the tokens are in order; the next run calls the hooks again for {named(due)}")
    said = bool(failed) or not wanted.deploy or _say_deployed(due, ports, desk)
    if code is not ExitCode.OK:
        failed += [argv for argv in wanted.failure if not calls.succeeds(argv, names, desk)]
    if failed:
        return ExitCode.HOOK
    return ExitCode.OK if said else ExitCode.ERROR


def _stored(outcome: Outcome) -> Iterator[Due]:
    for result in outcome.results:
        effect, token = result.effect, result.token
        if result.status is Status.DONE and isinstance(effect, Create | Renew) and token:
            yield Due(effect.spec.name, token, tuple(target.place for target in effect.targets))


def _say_deployed(due: Sequence[Due], ports: Ports, desk: Desk) -> bool:
    """Take the mark off the receipts; whether all are without it."""
    marked = []
    for each in due:
        for place in each.places:
            try:
                _unmark(place, each.token, ports)
            except SinkError as error:
                marked.append(f"{place}: {error.message}")
    for problem in marked:
        desk.note(f"the deploy hooks ran, and will run once more: {problem}")
    return not marked


def _unmark(place: Place, token: TokenId, ports: Ports) -> None:
    """What another run has put there meanwhile has a mark of its own, and keeps it."""
    sink = ports.sinks[place.sink]
    found = sink.read(place.key)
    if isinstance(found, Unread):
        raise SinkUnread(found.why)
    if isinstance(found, Stored) and found.receipt.token.id == token and found.receipt.undeployed:
        sink.amend(place.key, replace(found.receipt, undeployed=False), found.version)
