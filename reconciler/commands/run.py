"""Carrying out a plan in front of people: progress, a line per action, signals, hooks, the sum."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.commands import hooks, verdict
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, Renderers, write
from reconciler.commands.progress import counting
from reconciler.core.outcome import Outcome, Result
from reconciler.core.plan import Plan
from reconciler.engine import Engine
from reconciler.errors import ExitCode
from reconciler.reports import json, text
from reconciler.reports.lines import Labels
from reconciler.signals import Interrupts
from reconciler.source.config import Hooks
from reconciler.transaction import Ports


def carry_out(
    plan: Plan, ports: Ports, desk: Desk, output: Output, wanted: Hooks, let_go: Callable[[], str]
) -> ExitCode:
    """Let the engine work, say what happened, and judge it; `let_go` gives back the lock."""
    labels = Labels(plan)
    say = desk.show if output.format == "text" else desk.note

    interrupts = Interrupts(lambda: engine.in_flight(), let_go)  # noqa: PLW0108 - made before the engine
    with interrupts, counting(desk, len(plan.effects)) as ended:

        def tell(result: Result) -> None:
            say(text.result_line(result, labels, output.style))
            ended()

        engine = Engine(ports, tell, interrupts.stopped)
        outcome = engine.apply(plan.effects)
    _publish(plan, outcome, desk, output, labels)
    code = verdict.of_run(plan, outcome)
    hooked = hooks.run(wanted, outcome, desk, code)
    if interrupts.code is not None and code not in (ExitCode.UNCERTAIN, ExitCode.ROLLED_BACK):
        return interrupts.code
    return hooked if code is ExitCode.OK else code


def _publish(plan: Plan, outcome: Outcome, desk: Desk, output: Output, labels: Labels) -> None:
    renderers: Renderers = {
        "text": lambda: text.outcome(outcome, labels, output.style),
        "json": lambda: json.dumps(json.outcome_document(plan, outcome)),
        "markdown": lambda: text.outcome(outcome, labels, text.Style()),
    }
    for report in output.reports:
        write(report.path, renderers[report.format]())
    desk.show(renderers[output.format]())
