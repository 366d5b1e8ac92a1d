"""The record of a run that writes: whatever ends it, exactly one report says what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, Renderers, complain, is_stream, save
from reconciler.core.outcome import Outcome, Result, Status
from reconciler.core.plan import Plan
from reconciler.errors import ExitCode, InputError, NetbirdTokensError
from reconciler.reports import document, json, markdown, run_text
from reconciler.reports.document import Stopped
from reconciler.reports.json import Ending
from reconciler.signals import Leaving
from reconciler.source.problems import told


@dataclass
class Record:
    """What is known of a run at any moment.

    Attributes:
        plan: What it is to carry out; None until it is made.
        began: Whether the engine was let loose.
        told: Results as they came.
        outcome: All results, once the engine is done.
    """

    command: str
    desk: Desk
    output: Output
    plan: Plan | None = None
    began: bool = False
    told: list[Result] = field(default_factory=list)
    outcome: Outcome | None = None
    _shown: tuple[Plan, document.Plan] | None = None

    def document(self, plan: Plan) -> document.Plan:
        """A plan as a document, made once."""
        if self._shown is None or self._shown[0] is not plan:
            self._shown = plan, json.plan_document(plan)
        return self._shown[1]

    def say(self, text: str) -> None:
        """Tell people what happens; on stdout only where that is for people."""
        (self.desk.show if self.output.is_text else self.desk.note)(text)

    def results(self) -> list[Result]:
        """One for every effect of the plan, in its order."""
        if self.outcome is not None:
            return list(self.outcome.results)
        return list(self._without_outcome())

    def _without_outcome(self) -> Iterator[Result]:
        known = {id(result.effect): result for result in self.told}
        for effect in self.plan.effects if self.plan else ():
            if id(effect) in known:
                yield known[id(effect)]
            elif self.began:
                yield Result(effect, Status.UNCERTAIN, "the run broke off")
            else:
                yield Result(effect, Status.SKIPPED, "not started")


def recorded(record: Record, work: Callable[[], ExitCode]) -> ExitCode:
    """Do the work and report on it, once, whatever happens; then raise what the work raised."""
    record.output.check()
    try:
        with Leaving(lambda: "", record.desk.note):  # nothing to give back: signals unwind, no more
            code = work()
    except (KeyboardInterrupt, SystemExit) as signal:
        code = ExitCode.INTERRUPTED
        if isinstance(signal, SystemExit):
            code = ExitCode.TERMINATED
        why = _broken(record, "interrupted", "interrupted")
        _report(record, Ending(code, why, interrupted=True))
        raise
    except NetbirdTokensError as error:
        _report(record, Ending(error.exit_code, _refused(error)))
        raise
    except Exception as error:
        why = _broken(record, "defect", f"stopped by an unexpected {type(error).__name__}")
        _report(record, Ending(ExitCode.ERROR, why))
        raise
    interrupted = record.outcome is not None and record.outcome.interrupted
    return _report(record, Ending(code, interrupted=interrupted))


def _refused(error: NetbirdTokensError) -> Stopped:
    problems = list(told(error.problems)) if isinstance(error, InputError) else []
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    return {"kind": kind, "message": error.message, "hint": error.hint, "problems": problems}


def _broken(record: Record, kind: str, what: str) -> Stopped:
    message = what if record.began else f"{what}; nothing was changed"
    return {"kind": kind, "message": message, "hint": "", "problems": []}


def _report(record: Record, ending: Ending) -> ExitCode:
    """Write the report files and show the report; its exit code knows which files were lost.

    Streams come last: nobody knows whether, and when, their other end reads.
    """
    desk, output = record.desk, record.output
    streams = [report for report in output.reports if is_stream(report.path)]
    files = [report for report in output.reports if report not in streams]
    lost = save(files, _renderers(record, ending), output.style)
    ending = replace(ending, code=ending.code or (ExitCode.ERROR if lost else ExitCode.OK))
    shown = _renderers(record, ending)
    if not output.is_text:
        desk.show(shown[output.format](output.style))
    elif ending.stopped is None and (last := shown["closing"](output.style)):
        # people have read the plan and each result; an error follows on stderr
        desk.show(f"\n{last}")
    return complain(desk, lost + save(streams, shown, output.style), ending.code)


def _renderers(record: Record, ending: Ending) -> Renderers:
    plan = record.document(record.plan) if record.plan else None
    found = json.report_document(record.command, plan, record.results(), ending)
    return {
        "text": lambda style: run_text.report(found, style),
        "json": lambda _: json.dumps(json.detailed_report(found)),
        "markdown": lambda _: markdown.report(found),
        "closing": lambda style: run_text.closing(found, style),
    }
