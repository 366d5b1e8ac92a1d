"""plan, apply, renew, rotate, drift, status: look, decide, and for three of them, act."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from reconciler.commands import approval, verdict
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, Renderers, publish, write
from reconciler.commands.progress import waiting
from reconciler.commands.run import carry_out
from reconciler.core.changes import Change, Register
from reconciler.core.drift import drift_of
from reconciler.core.plan import Plan
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.subjects import name_of
from reconciler.core.world import Requests, World
from reconciler.errors import ExitCode, GuardStop, UsageError
from reconciler.reports import json, markdown, tables, text
from reconciler.reports.lines import ago
from reconciler.source.advice import closest
from reconciler.wiring import Parts

_DUE = (Reason.DUE, Reason.SUPERSEDED, Reason.EXPIRED, Reason.LEFTOVER)


def plan(
    parts: Parts,
    desk: Desk,
    output: Output,
    requests: Requests,
    out: Path | None,
    *,
    detailed: bool,
) -> ExitCode:
    """Say what apply would do. Sends GETs only."""
    found = _look(parts, desk, requests)
    if out is not None:
        write(out, json.dumps(json.plan_document(found)))
    publish(desk, plan_renderers(found, output.style), output.format, output.reports)
    return verdict.of_plan(found, detailed=detailed)


def drift(parts: Parts, desk: Desk, output: Output) -> ExitCode:
    """Say what differs behind the file's back. Sends GETs only."""
    found = _look(parts, desk, Requests())
    renderers: Renderers = {
        "text": lambda: _gaps(found) + tables.drift(found),
        "json": lambda: json.dumps(json.drift_document(found)),
    }
    publish(desk, renderers, output.format, output.reports)
    if not found.complete:
        return ExitCode.ERROR
    differs = any(drift_of(change) for change in found.changes)
    return ExitCode.DIFFERENCES if differs else ExitCode.OK


def status(parts: Parts, desk: Desk, output: Output) -> ExitCode:
    """One table of what is wanted, what is live and what the sinks hold. Sends GETs only."""
    found = _look(parts, desk, Requests())
    renderers: Renderers = {
        "text": lambda: _gaps(found) + tables.status(found),
        "json": lambda: json.dumps(json.plan_document(found)),
    }
    publish(desk, renderers, output.format, output.reports)
    return ExitCode.OK if found.complete else ExitCode.ERROR


@dataclass(frozen=True, slots=True)
class Consent:
    """How the yes to an apply is given: asked for, by flag, by a saved plan, by an approved id."""

    yes: bool = False
    saved: Path | None = None
    change_id: str | None = None


def apply(
    parts: Parts, desk: Desk, output: Output, requests: Requests, consent: Consent
) -> ExitCode:
    """Plan, ask, carry out."""

    def chosen(whole: Plan) -> Plan:
        approval.check_change(whole, consent.change_id)
        return approval.narrowed(whole, consent.saved)

    given = consent.yes or consent.saved is not None or consent.change_id is not None
    return _act(parts, desk, output, requests, Choice("apply", chosen, asks=not given))


def renew(parts: Parts, desk: Desk, output: Output, *, yes: bool) -> ExitCode:
    """Only what is due: renewals and retirements. Never a new name, never a removal."""

    def chosen(whole: Plan) -> Plan:
        return whole.only(
            c for c in whole.effects if c.why.reason in _DUE or isinstance(c, Register)
        )

    return _act(parts, desk, output, Requests(), Choice("renew", chosen, asks=not yes))


def rotate(parts: Parts, desk: Desk, output: Output, requests: Requests, *, yes: bool) -> ExitCode:
    """Renew the named tokens now."""
    known = {spec.name for spec in parts.loaded.token_set.specs}
    for name in sorted(requests.rotate - known):
        near = closest(name, known)
        hint = f"did you mean {near!r}?" if near else f"the set has: {', '.join(sorted(known))}"
        raise UsageError(f"no entry is named {name!r}", hint=hint)

    def chosen(whole: Plan) -> Plan:
        return whole.only(_rotated(whole, requests.rotate))

    return _act(parts, desk, output, requests, Choice("rotate", chosen, asks=not yes))


def _rotated(whole: Plan, names: frozenset[str]) -> Iterable[Change]:
    for change in whole.changes:
        if isinstance(change, Register) or name_of(change) in names:
            yield change


@dataclass(frozen=True, slots=True)
class Choice:
    """Which command this is, which part of the plan it carries out, and whether it asks first."""

    operation: str
    of: Callable[[Plan], Plan]
    asks: bool


def _act(parts: Parts, desk: Desk, output: Output, requests: Requests, choice: Choice) -> ExitCode:
    _warn(parts, desk)
    with parts.lock(choice.operation, desk.note) as let_go, parts.writer() as api:
        with waiting(desk, "reading tokens and sinks"):
            world = parts.look(api, requests)
        _warn_of_skew(parts, desk, world)
        found = choice.of(make_plan(world))
        if output.format == "text":
            desk.show(text.plan(found, output.style))
        if found.stops:
            _raise_stops(found)
        if not found.effects:
            return _nothing(found, desk, output)
        if choice.asks:
            desk.confirm(f"Carry out these {len(found.effects)} actions?")
        return carry_out(found, parts.ports(api), desk, output, parts.config.hooks, let_go)


def _nothing(found: Plan, desk: Desk, output: Output) -> ExitCode:
    renderers: Renderers = {**plan_renderers(found, output.style), "text": str}
    for report in output.reports:
        write(report.path, renderers[report.format]())
    if output.format != "text":
        publish(desk, renderers, output.format, ())
    return verdict.of_view(found)


def _raise_stops(found: Plan) -> None:
    first = found.stops[0]
    raise GuardStop(f"guard {first.id}: {first.text}; nothing was changed", hint=first.hint)


def plan_renderers(found: Plan, style: text.Style) -> Renderers:
    """A plan in every format it has."""
    return {
        "text": lambda: text.plan(found, style),
        "json": lambda: json.dumps(json.plan_document(found)),
        "markdown": lambda: markdown.plan(found),
    }


def _look(parts: Parts, desk: Desk, requests: Requests) -> Plan:
    _warn(parts, desk)
    with parts.reader() as api, waiting(desk, "reading tokens and sinks"):
        world = parts.look(api, requests)
    _warn_of_skew(parts, desk, world)
    return make_plan(world)


def _warn_of_skew(parts: Parts, desk: Desk, world: World) -> None:
    skew = parts.skew(world.now)
    if skew is not None:
        desk.note(f"this machine's clock is {ago(skew)} off the server's; the server's counts")


def _warn(parts: Parts, desk: Desk) -> None:
    for problem in parts.loaded.warnings:
        desk.note(str(problem))


def _gaps(found: Plan) -> str:
    return "".join(f"could not look: {gap.what}: {gap.why}\n" for gap in found.gaps)
