"""The record of a run: whatever ends it, exactly one report says what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, Renderers, complain, is_stream, save
from reconciler.commands.renderings import of_run
from reconciler.commands.stream import Stream
from reconciler.core.changes import Effect
from reconciler.core.comparison import Base
from reconciler.core.outcome import Outcome, Result, Status
from reconciler.core.plan import Plan
from reconciler.core.subjects import action_of, name_of, user_of
from reconciler.errors import ExitCode, InputError, NetbirdTokensError, Shown, Unwritten
from reconciler.reports import document, events, github, json, run_text
from reconciler.reports.document import Plan as PlanDocument
from reconciler.reports.ending import Problem as ProblemDocument
from reconciler.reports.ending import Report, Stopped
from reconciler.reports.json import Ending
from reconciler.reports.lines import WRITING
from reconciler.signals import Leaving
from reconciler.source.problems import Problem, told


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass
class Record:
    """What is known of a run at any moment.

    Attributes:
        plan: What it is to carry out, or found; None until it is made.
        began: Whether the engine was let loose.
        told: Results as they came.
        outcome: All results, once the engine is done.
        warnings: What the files should have otherwise.
        clock: This machine's.
    """

    command: str
    desk: Desk
    output: Output
    plan: Plan | None = None
    began: bool = False
    told: list[Result] = field(default_factory=list)
    outcome: Outcome | None = None
    warnings: tuple[Shown, ...] = ()
    clock: Callable[[], datetime] = _utc
    _shown: tuple[Plan, document.Plan] | None = None

    @cached_property
    def stream(self) -> Stream:
        """Who wants to hear of the run while it goes on."""
        return Stream(self.output.events, self.clock)

    def document(self, plan: Plan) -> document.Plan:
        """A plan as a document, made once."""
        if self._shown is None or self._shown[0] is not plan:
            self._shown = plan, json.plan_document(plan)
        return self._shown[1]

    def planned(self, plan: Plan, base: Base | None = None) -> PlanDocument:
        """Keep what is to be carried out, or was found; as a document, beside a base if there is one."""
        self.plan = plan
        if base is not None:
            self._shown = plan, json.plan_beside(plan, base)
        self.stream.tell(events.planned(self.document(plan)))
        return self.document(plan)

    def say(self, text: str) -> None:
        """Tell people what happens; on stdout only where that is for people."""
        (self.desk.show if self.output.is_text else self.desk.note)(text)

    def starts(self, effect: Effect) -> None:
        """Called before an action may have an effect."""
        self.stream.tell(events.started(action_of(effect), name_of(effect), user_of(effect)))

    def ends(self, result: Result) -> None:
        """Called when it has ended, or was passed over."""
        self.told.append(result)
        self.stream.tell(events.finished(json.result_document(result)))

    def results(self) -> list[Result]:
        """One for every effect of the plan, in its order; none of a command that only looks."""
        if self.outcome is not None:
            return list(self.outcome.results)
        return list(self._without_outcome()) if self.command in WRITING else []

    def _without_outcome(self) -> Iterator[Result]:
        known = {id(result.effect): result for result in self.told}
        for effect in self.plan.effects if self.plan else ():
            if id(effect) in known:
                yield known[id(effect)]
            elif self.began:
                yield Result(effect, Status.UNCERTAIN, "the run broke off")
            else:
                yield Result(effect, Status.SKIPPED, "not started")

    def report(self, ending: Ending) -> Report:
        """All of it, with its end."""
        plan = self.document(self.plan) if self.plan else None
        problems = (*_located(self.warnings), *ending.problems)
        ending = replace(ending, problems=problems)
        return json.report_document(self.command, plan, self.results(), ending)


def recorded(record: Record, work: Callable[[], ExitCode]) -> ExitCode:
    """Do the work and report on it, once, whatever happens; then raise what the work raised."""
    record.output.check()
    record.stream.begin(record.command)
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
        _report(record, refused(error))
        raise
    except Exception as error:
        why = _broken(record, "defect", f"stopped by an unexpected {type(error).__name__}")
        _report(record, Ending(ExitCode.ERROR, why))
        raise
    interrupted = record.outcome is not None and record.outcome.interrupted
    return _report(record, Ending(code, interrupted=interrupted))


def _nothing_more() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Look:
    """What a command that only looks has found.

    Attributes:
        renderers: What is found, in the formats that show it; all others tell of the run.
        after: Called once it is shown.
    """

    renderers: Renderers
    code: ExitCode
    after: Callable[[], None] = _nothing_more


def viewed(record: Record, work: Callable[[], Look]) -> ExitCode:
    """Do what only looks, show what it found, and write its report files, also where it failed."""
    record.output.check()
    record.stream.begin(record.command)
    desk, output = record.desk, record.output
    try:
        look = work()
    except NetbirdTokensError as error:
        found = record.report(refused(error))
        lost = save(output.reports, of_run(found, output.place, record.clock()), output.style)
        complain(desk, lost + _finish(record, found), error.exit_code)
        raise
    found = record.report(Ending(look.code))
    renderers = {**of_run(found, output.place, record.clock()), **look.renderers}
    desk.show(renderers[output.format](output.style))
    lost = save(output.reports, renderers, output.style)
    code = complain(desk, lost + _finish(record, found), look.code)
    look.after()
    return code


def refused(error: NetbirdTokensError) -> Ending:
    """The end of a run that an error of ours brought about."""
    problems = list(told(error.problems)) if isinstance(error, InputError) else []
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    why: Stopped = {
        "kind": kind, "message": error.message, "hint": error.hint, "problems": problems,
    }  # fmt: skip
    located = _located(error.problems) if isinstance(error, InputError) else ()
    return Ending(error.exit_code, why, problems=tuple(located))


def _located(problems: Iterable[Shown]) -> Iterator[ProblemDocument]:
    for each in problems:
        if isinstance(each, Problem):
            found = each.guessed()
            yield {
                "file": found.where.file,
                "line": found.where.line,
                "column": found.where.column,
                "code": found.code,
                "severity": found.severity.value,
                "message": found.message,
                "fix": found.fix,
            }


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
    early = of_run(record.report(ending), output.place, record.clock())
    lost = save(files, early, output.style)
    ending = replace(ending, code=ending.code or (ExitCode.ERROR if lost else ExitCode.OK))
    found = record.report(ending)
    shown = of_run(found, output.place, record.clock())
    if not output.is_text:
        desk.show(shown[output.format](output.style))
    elif ending.stopped is None and (last := run_text.closing(found, output.style)):
        # people have read the plan and each result; an error follows on stderr
        desk.show(f"\n{last}")
    lost += save(streams, shown, output.style)
    return complain(desk, lost + _finish(record, found), ending.code)


def _finish(record: Record, found: Report) -> list[Unwritten]:
    """What is said beside the report: the last event, and to GitHub what is wrong where."""
    record.stream.tell(events.ended(found))
    if record.output.annotates:
        record.desk.annotate(github.annotated(found), record.output.place)
    return record.stream.end()
