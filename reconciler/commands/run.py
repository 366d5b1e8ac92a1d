"""Carrying out a plan in front of people: progress, a line per action, signals, hooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.commands import hooks, verdict
from reconciler.commands.progress import counting
from reconciler.commands.record import Record
from reconciler.core.outcome import Result
from reconciler.core.plan import Plan
from reconciler.engine import Engine
from reconciler.errors import ExitCode
from reconciler.reports import json, run_text
from reconciler.reports.escape import harmless
from reconciler.reports.lines import Labels
from reconciler.signals import Interrupts
from reconciler.source.config import Hooks
from reconciler.transaction import Ports


def carry_out(
    plan: Plan, ports: Ports, record: Record, calls: hooks.Calls, let_go: Callable[[], str]
) -> ExitCode:
    """Let the engine work, say what happens, keep it in the record, and judge it; `let_go` gives back
    the lock.
    """
    labels, style = Labels(record.document(plan)), record.output.style
    ports = replace(ports, deploys=bool(calls.hooks.deploy))

    interrupts = Interrupts(tuple, let_go)
    with interrupts:
        with counting(record.desk, len(plan.effects)) as ended:

            def tell(result: Result) -> None:
                record.ends(result)
                line = run_text.result_line(json.result_document(result), labels, style)
                ended(lambda: record.say(line))

            engine = Engine(ports, tell, interrupts.stopped, begin=record.starts)
            interrupts.in_flight = lambda: tuple(map(harmless, engine.in_flight()))
            record.began = True
            outcome = record.outcome = engine.apply(plan.effects)
        interrupts.in_flight = lambda: ("hooks",) if calls.hooks != Hooks() else ()
        code = verdict.of_run(plan, outcome)
        hooked = hooks.deploy(calls, outcome, ports, record)
    if interrupts.code is not None and code not in (ExitCode.UNCERTAIN, ExitCode.ROLLED_BACK):
        return interrupts.code
    return verdict.with_hooks(code, hooked)
