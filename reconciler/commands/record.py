"""The record of a run: what is known of it at any moment, and who is told of it while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from reconciler.commands.audit import Trail, told
from reconciler.commands.desk import Desk
from reconciler.commands.notify import Notifier
from reconciler.commands.output import Output
from reconciler.commands.stream import Stream
from reconciler.core.changes import Effect
from reconciler.core.comparison import Base
from reconciler.core.outcome import Outcome, Result, Status
from reconciler.core.plan import Plan
from reconciler.core.subjects import action_of, name_of, user_of
from reconciler.errors import Shown
from reconciler.reports import document, events, json
from reconciler.reports.audit import Deed
from reconciler.reports.document import Plan as PlanDocument
from reconciler.reports.ending import Part, Report
from reconciler.reports.ending import Problem as ProblemDocument
from reconciler.reports.json import Ending
from reconciler.reports.lines import WRITING
from reconciler.source.problems import Problem, first


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
        set: Of the files; empty until they are read.
        warnings: What the files should have otherwise.
        notifier: Whom to tell of it; None where the config names nobody, or this only shows.
        on_failure: Is told which entries a failed run did not do; None for a command that only looks.
        trail: What goes into the audit log; None for a command that only looks.
        part: Of a saved plan; None: all of it is meant.
        approved: Whether a change id is the yes to it.
        clock: This machine's.
    """

    command: str
    desk: Desk
    output: Output
    plan: Plan | None = None
    began: bool = False
    told: list[Result] = field(default_factory=list)
    outcome: Outcome | None = None
    set: str = ""
    warnings: tuple[Shown, ...] = ()
    notifier: Notifier | None = None
    on_failure: Callable[[Sequence[str]], None] | None = None
    trail: Trail | None = None
    part: Part | None = None
    approved: bool = False
    clock: Callable[[], datetime] = _utc
    _shown: tuple[Plan, document.Plan] | None = None

    @cached_property
    def stream(self) -> Stream:
        """Who wants to hear of the run while it goes on."""
        return Stream(self.output.events, self.clock)

    def document(self, plan: Plan) -> document.Plan:
        """A plan as a document, made once."""
        if self._shown is None or self._shown[0] is not plan:
            self._shown = plan, self._dated(json.plan_document(plan))
        return self._shown[1]

    def _dated(self, found: PlanDocument) -> PlanDocument:
        """With the moment from which its snapshot has an age; a look of our own has none."""
        if not found.get("snapshot"):
            return found
        return {**found, "planned_at": document.instant(self.clock())}

    def planned(self, plan: Plan, base: Base | None = None) -> PlanDocument:
        """Keep what is to be carried out, or was found; as a document, beside a base if there is one."""
        self.plan = plan
        if base is not None:
            self._shown = plan, self._dated(json.plan_beside(plan, base))
        self.stream.tell(events.planned(self.document(plan)))
        return self.document(plan)

    def say(self, text: str) -> None:
        """Tell people what happens; on stdout only where that is for people."""
        (self.desk.show if self.output.is_text else self.desk.note)(text)

    def starts(self, effect: Effect) -> None:
        """Called before an action may have an effect. Raises Unwritten: then it must have none."""
        if self.trail is not None:
            self.trail.starts_effect(effect)
        self.stream.tell(events.started(action_of(effect), name_of(effect), user_of(effect)))

    def ends(self, result: Result) -> None:
        """Called when it has ended, or was passed over."""
        self.told.append(result)
        if self.trail is not None:
            self.trail.ends_effect(result)
        self.stream.tell(events.finished(json.result_document(result)))

    def unplanned(self, deed: Deed) -> AbstractContextManager[object]:
        """Around a change that no plan lists, for the audit log. Raises Unwritten: it must not begin."""
        return told(self.trail, deed) if self.trail is not None else nullcontext()

    def results(self) -> list[Result]:
        """One for every effect of the plan, in its order; none of a command that only looks."""
        if self.outcome is not None:
            return list(self.outcome.results)
        return list(self._without_outcome()) if self.command in WRITING else []

    def undone(self) -> list[str]:
        """The names of what was begun and is not done, or not surely."""
        bad = [r for r in self.results() if r.status not in (Status.DONE, Status.SKIPPED)]
        return list(dict.fromkeys(name_of(result.effect) for result in bad))

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
        problems = (*located(self.warnings), *ending.problems)
        ending = replace(ending, problems=problems, set=self.set, approved=self.approved)
        found = json.report_document(self.command, plan, self.results(), ending)
        return {**found, "part": self.part} if self.part else found


def located(problems: Iterable[Shown]) -> Iterator[ProblemDocument]:
    """Of each file those that are shown: to guess what each of a thousand meant takes long."""
    for each in first(problems):
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
