"""plan, apply, renew, rotate, status: look, decide, and for three of them, act."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.commands import approval, renderings, saved, verdict
from reconciler.commands.asked import NOTHING, Asked, decided
from reconciler.commands.audit import account_of, trail
from reconciler.commands.desk import Desk
from reconciler.commands.hooks import Calls, Whose, everybody, failure, left_for, named
from reconciler.commands.notify import notifier
from reconciler.commands.output import Output, write
from reconciler.commands.progress import waiting
from reconciler.commands.record import Record
from reconciler.commands.reporting import Look, recorded, viewed
from reconciler.commands.run import carry_out
from reconciler.commands.shards import ours, part_of
from reconciler.commands.view import view
from reconciler.core.changes import Change, Create, Register, Renew
from reconciler.core.plan import Plan
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.shards import Shard
from reconciler.core.subjects import address_of
from reconciler.core.world import World
from reconciler.errors import ExitCode, GuardStop, PlanMismatch, UsageError
from reconciler.reports import document, json, text
from reconciler.reports.ages import ago
from reconciler.source.problems import told
from reconciler.transaction import awake_or_not
from reconciler.wiring import Parts, no_lock

_FRESH: Final = 60.0
"""Seconds that a person may take to answer before the plan is made once more."""
_DUE = (Reason.DUE, Reason.SUPERSEDED, Reason.EXPIRED, Reason.LEFTOVER)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a plan.

    Attributes:
        out: Where to save it for `apply`.
        live: A snapshot to look at, instead of the account.
        base: The commit without the change that is to be judged.
        detailed: Whether a plan that would change something has an exit code of its own.
    """

    out: Path | None = None
    live: Path | None = None
    base: str | None = None
    detailed: bool = False


def plan(parts: Parts, desk: Desk, output: Output, asked: Asked, wish: Wish) -> ExitCode:
    """Say what apply would do. Sends GETs only; none with a snapshot."""
    out = wish.out
    output.check(*([out] if out else []))
    record = Record("plan", desk, output)

    def work() -> Look:
        warn(parts, record)
        seen = view(parts, desk, wish.live, wish.base)
        calls = remark(parts, desk, seen.world)
        found, _ = decided(seen.world, asked, desk.note)
        shown = record.planned(found, seen.base)

        def whole() -> document.Plan:
            full = json.detailed(shown)
            return full if out is None else saved.sealed(full)

        def keep() -> None:
            if out is not None:
                write(out, json.dumps(whole()))

        def after() -> None:
            if found.effects and not found.is_past:
                _say_next(desk, out)

        code = verdict.of_plan(found, detailed=wish.detailed, calls=bool(calls.earlier))
        return Look(renderings.of_plan(shown, whole, saved=out is not None), code, keep, after)

    return viewed(record, work)


def _say_next(desk: Desk, out: Path | None) -> None:
    if out is not None:
        desk.note(f"next: `netbird-tokens apply {out}` carries out exactly this, or nothing")
    elif desk.interactive:
        desk.note("next: `netbird-tokens apply` carries it out, after a question")


def status(parts: Parts, desk: Desk, output: Output) -> ExitCode:
    """One table of what is wanted, what is live and what the sinks hold. Sends GETs only."""
    record = Record("status", desk, output)

    def work() -> Look:
        warn(parts, record)
        world = view(parts, desk).world
        remark(parts, desk, world)
        found = make_plan(world)
        shown = record.planned(found)
        return Look(renderings.of_status(shown), ExitCode.OK if found.complete else ExitCode.ERROR)

    return viewed(record, work)


@dataclass(frozen=True, slots=True)
class Consent:
    """How the yes to an apply is given: asked for, by flag, by a saved plan, by an approved id.

    Attributes:
        shard: The part of the saved plan that is meant. Parts run side by side, so they take no lock.
    """

    yes: bool = False
    saved: Path | None = None
    change_id: str | None = None
    shard: Shard | None = None


def apply(parts: Parts, desk: Desk, output: Output, asked: Asked, consent: Consent) -> ExitCode:
    """Plan, ask, carry out."""
    if consent.shard and consent.saved is None:
        raise UsageError(
            "--shard is a part of a saved plan", hint="name the file that `plan --out` wrote"
        )
    kept = saved.Saved(consent.saved) if consent.saved else None

    def chosen(whole: Plan, world: World) -> Plan:
        approval.check_change(whole, consent.change_id, kept if consent.shard else None)
        return approval.narrowed(whole, world, kept, consent.shard)

    approved = consent.change_id is not None
    asks = not (consent.yes or kept or approved)
    choice = Choice("apply", chosen, asks, kept, consent.shard, approved)
    return _act(parts, desk, output, asked, choice)


def renew(parts: Parts, desk: Desk, output: Output, *, yes: bool) -> ExitCode:
    """Only what is due: renewals and retirements. Never a new name, never a removal."""

    def chosen(whole: Plan, _: World) -> Plan:
        return _part(whole.only(whole.effects), lambda change: change.why.reason in _DUE)

    return _act(parts, desk, output, NOTHING, Choice("renew", chosen, asks=not yes))


def rotate(parts: Parts, desk: Desk, output: Output, asked: Asked, *, yes: bool) -> ExitCode:
    """Renew the named tokens now."""

    def chosen(whole: Plan, world: World) -> Plan:
        return _part(whole, lambda change: address_of(change) in world.requests.rotate)

    return _act(parts, desk, output, asked, Choice("rotate", chosen, asks=not yes))


def _part(whole: Plan, wanted: Callable[[Change], bool]) -> Plan:
    """The changes that are wanted, and the registrations that they need."""
    chosen = [c for c in whole.changes if not isinstance(c, Register) and wanted(c)]
    minted = [change for change in chosen if isinstance(change, Create | Renew)]
    sinks = {target.place.sink for change in minted for target in change.targets}
    needed = [c for c in whole.changes if isinstance(c, Register) and c.sink in sinks]
    return whole.only([*needed, *chosen])


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of the plan a command carries out, and whether it asks first; a shard takes no lock."""

    command: str
    of: Callable[[Plan, World], Plan]
    asks: bool
    saved: saved.Saved | None = None
    shard: Shard | None = None
    approved: bool = False


def _act(parts: Parts, desk: Desk, output: Output, asked: Asked, choice: Choice) -> ExitCode:
    record = Record(choice.command, desk, output, approved=choice.approved)

    def work() -> ExitCode:
        record.notifier = notifier(parts)
        record.on_failure = lambda names: failure(parts.config.hooks, names, desk)
        record.trail = trail(parts, choice.command)
        warn(parts, record)
        if choice.saved and choice.shard:
            record.part = {"shard": str(choice.shard), "working": [], "plan": ""}
            record.part = part_of(choice.saved.plan, choice.shard)
        lock = no_lock() if choice.shard else parts.lock(choice.command, desk.note)
        with lock as let_go, parts.writer() as api:
            with waiting(desk, "reading tokens and sinks"):
                asked_at = awake_or_not()
                world = parts.look(api)
            calls = remark(parts, desk, world, ours(choice.saved, choice.shard))
            whole, world = decided(world, asked, desk.note)
            record.plan = whole
            found = choice.of(whole, world)
            record.say(text.plan(record.planned(found), output.style))
            _stop(found)
            if not found.effects and not calls.earlier:
                return verdict.of_view(found)
            if choice.asks:
                began = time.monotonic()
                desk.confirm(_question(found, calls))
                if time.monotonic() - began > _FRESH:
                    _check_again(found, choice.of(*decided(parts.look(api), asked, desk.note)))
            record.say("")
            record.trail.knows(account_of(found), found.as_of, asked_at)
            record.trail.begins()
            return carry_out(found, parts.ports(api), record, calls, let_go)

    return recorded(record, work)


def _check_again(found: Plan, now: Plan) -> None:
    """Raises PlanMismatch if the answer took so long that it is about another plan."""
    if now.plan_id != found.plan_id:
        raise PlanMismatch(
            "while you decided, the tokens, the sinks or the file changed; nothing was changed here",
            hint="run the command again and look at the new plan",
        )


def _stop(found: Plan) -> None:
    for first in found.stops[:1]:
        raise GuardStop(f"guard {first.id}: {first.text}; nothing was changed", hint=first.hint)


def remark(parts: Parts, desk: Desk, world: World, whose: Whose = everybody) -> Calls:
    """Say what a plan does not: a clock that is off, what is odd in a sink, hooks that are left to call."""
    skew = None if world.is_past else parts.skew(world.now)
    if skew is not None:
        desk.note(f"this machine's clock is {ago(skew)} off the server's; the server's counts")
    for odd in world.remarks:
        desk.note(odd)
    calls = left_for(parts.config.hooks, world, whose)
    if calls.earlier:
        desk.note(f"stored, but no deploy hook has succeeded for it yet: {named(calls.earlier)}")
    return calls


def _question(found: Plan, calls: Calls) -> str:
    what = [f"Carry out these {len(found.effects)} actions"] if found.effects else []
    hooks = [f"run the deploy hooks for {named(calls.earlier)}"] if calls.earlier else []
    question = ", and ".join(what + hooks)
    return f"{question[0].upper()}{question[1:]}?"


def warn(parts: Parts, record: Record) -> None:
    """Say what is odd about the files, and keep it."""
    record.set = parts.loaded.token_set.name
    record.warnings = tuple(parts.loaded.warnings)
    for problem in told(record.warnings):
        record.desk.note(problem)
