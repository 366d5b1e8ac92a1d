"""The operator's commands after a run. Their argv comes from the config alone, never from a plan.

A secret that a deploy hook must run for says so in its receipts, from the write that stores it until the
hook has succeeded. So whatever comes in between, the next run calls the hook, on any machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.commands.record import Record
from reconciler.core.changes import Create, Renew
from reconciler.core.outcome import Outcome, Status
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Place, Stored
from reconciler.core.tokens import TokenId, Unread, UserId
from reconciler.core.world import World
from reconciler.errors import ExitCode, SinkError, SinkUnread, Unwritten
from reconciler.program import NotStarted, Program
from reconciler.reports.audit import Deed
from reconciler.reports.escape import terminal
from reconciler.source.config import Argv, Hooks
from reconciler.surroundings import INHERITED
from reconciler.transaction import Ports

Whose = Callable[[UserId], bool]

_TIMEOUT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Due:
    """A stored secret that no deploy hook has succeeded for."""

    name: str
    user: UserId
    token: TokenId
    places: tuple[Place, ...]


def everybody(_: UserId) -> bool:
    """There are no other parts."""
    return True


def started(argv: Argv, names: Sequence[str], desk: Desk) -> bool:
    """Start a hook, with the names of the entries on its stdin; whether it succeeded.

    Its stderr is ours, and no secret can be there: it is given none. What it started and did not wait
    for lives on, as a service does that it restarts; one that takes too long is ended with all of that.
    """
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    program = Program(tuple(argv), env, Path(), _TIMEOUT, unheard=True)
    given = "".join(f"{name}\n" for name in names).encode(errors="replace")
    try:
        ended = program.run(given=given)
    except NotStarted as error:
        desk.note(f"hook {terminal(error.message)}")
        return False
    if ended.status != 0:
        how = ended.why or f"failed with exit code {ended.status}"
        desk.note(f"hook {terminal(argv[0])} {how}")
    return ended.status == 0


@dataclass(frozen=True, slots=True)
class Calls:
    """Which hooks there are, and what earlier runs left for them.

    Attributes:
        succeeds: Starts one hook and waits for it.
    """

    hooks: Hooks
    earlier: tuple[Due, ...] = ()
    succeeds: Callable[[Argv, Sequence[str], Desk], bool] = started


def left_for(wanted: Hooks, world: World, whose: Whose) -> Calls:
    """What the sinks say of the hooks of earlier runs; a secret that is not whole waits for its own.

    Where several parts of a run work side by side, `whose` says for which users this one calls them.
    """
    waiting = _waiting(world) if wanted.deploy else ()
    return Calls(wanted, tuple(due for due in waiting if whose(due.user)))


def _waiting(world: World) -> Iterator[Due]:
    for spec in world.wanted.specs:
        found = [world.at(place) for place in spec.places]
        receipts = [each.receipt for each in found if isinstance(each, Stored)]
        tokens = {receipt.token.id for receipt in receipts if receipt.set == spec.set}
        if len(receipts) == len(found) and len(tokens) == 1 and any(r.undeployed for r in receipts):
            yield Due(spec.name, spec.user, tokens.pop(), spec.places)


def named(due: Collection[Due]) -> str:
    """Their names, to be read."""
    return ", ".join(terminal(each.name) for each in due)


def deploy(calls: Calls, outcome: Outcome, ports: Ports, record: Record) -> ExitCode:
    """Call the deploy hooks for what was stored; those that failed are called by the next run."""
    desk, wanted = record.desk, calls.hooks
    latest = {each.places: each for each in (*calls.earlier, *_stored(outcome))}
    due = tuple(latest.values())
    names = [each.name for each in due]
    failed = [argv for argv in wanted.deploy if due and not calls.succeeds(argv, names, desk)]
    if failed:
        desk.note(f"the tokens are in order; the next run calls the hooks again for {named(due)}")
        return ExitCode.HOOK
    said = not wanted.deploy or _say_deployed(due, ports, record)
    return ExitCode.OK if said else ExitCode.ERROR


def failure(wanted: Hooks, names: Sequence[str], desk: Desk) -> None:
    """Call the failure hooks; one that fails is a word, since the run has failed anyway."""
    for argv in wanted.failure:
        started(argv, names, desk)


def _stored(outcome: Outcome) -> Iterator[Due]:
    for result in outcome.results:
        effect, token = result.effect, result.token
        if result.status is Status.DONE and isinstance(effect, Create | Renew) and token:
            spec = effect.spec
            yield Due(spec.name, spec.user, token, tuple(target.place for target in effect.targets))


def _say_deployed(due: Sequence[Due], ports: Ports, record: Record) -> bool:
    """Take the mark off the receipts; whether all are without it."""
    marked = []
    for each in due:
        for place in each.places:
            try:
                _unmark(place, each, ports, record)
            except (SinkError, Unwritten) as error:
                marked.append(f"{place}: {error.message}")
    for problem in marked:
        record.desk.note(f"the deploy hooks ran, and will run once more: {problem}")
    return not marked


def _unmark(place: Place, due: Due, ports: Ports, record: Record) -> None:
    """What another run has put there meanwhile has a mark of its own, and keeps it."""
    sink = ports.sinks[place.sink]
    found = sink.read(place.key)
    if isinstance(found, Unread):
        raise SinkUnread(found.why)
    if not isinstance(found, Stored) or found.receipt.token.id != due.token:
        return
    if found.receipt.undeployed:
        why = Reason.DEPLOYED.code
        deed = Deed("amend", due.name, due.user, why, due.token, places=(str(place),))
        with record.unplanned(deed):
            sink.amend(place.key, replace(found.receipt, undeployed=False), found.version)
