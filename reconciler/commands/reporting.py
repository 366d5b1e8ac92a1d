"""Whatever ends a command, it is reported: once to people, once in every report file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reconciler.commands.notify import said
from reconciler.commands.output import Renderers, complain, is_stream, save
from reconciler.commands.record import Record, located
from reconciler.commands.renderings import of_run
from reconciler.errors import ExitCode, InputError, NetbirdTokensError, Unwritten
from reconciler.reports import events, github, run_text
from reconciler.reports.ending import Report, Stopped
from reconciler.reports.json import Ending
from reconciler.signals import Leaving
from reconciler.source.problems import told


def recorded(record: Record, work: Callable[[], ExitCode]) -> ExitCode:
    """Do the work and report on it, once, whatever happens; then raise what the work raised."""
    record.output.check()
    record.stream.begin(record.command)
    try:
        with Leaving(lambda: "", record.desk.note):  # nothing to give back: signals unwind, no more
            code = _notified(record, Ending(work())).code
    except (KeyboardInterrupt, SystemExit) as signal:
        code = ExitCode.INTERRUPTED
        if isinstance(signal, SystemExit):
            code = ExitCode.TERMINATED
        why = _broken(record, "interrupted", "interrupted")
        _report(record, Ending(code, why, interrupted=True))
        raise
    except NetbirdTokensError as error:
        _report(record, refused(error))
        _notified(record, refused(error))
        raise
    except Exception as error:
        why = _broken(record, "defect", f"stopped by an unexpected {type(error).__name__}")
        _report(record, Ending(ExitCode.ERROR, why))
        _notified(record, Ending(ExitCode.ERROR, why))
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
        lost = save(output.reports, _shown(record, found), output.style)
        complain(desk, lost + _finish(record, found), error.exit_code)
        _notified(record, refused(error))
        raise
    ending = _notified(record, Ending(look.code))
    found = record.report(ending)
    renderers = {**_shown(record, found), **look.renderers}
    desk.show(renderers[output.format](output.style))
    lost = save(output.reports, renderers, output.style)
    code = complain(desk, lost + _finish(record, found), ending.code)
    look.after()
    return code


def _notified(record: Record, ending: Ending) -> Ending:
    """Tell whom the config names; a notice that could not be sent is a hook that failed (exit 10)."""
    interrupted = record.outcome is not None and record.outcome.interrupted
    at_fault = ending.code is ExitCode.USAGE and record.desk.interactive  # who typed it reads it
    if record.notifier is None or at_fault:
        return ending
    trouble = record.notifier.tell(record.report(replace(ending, interrupted=interrupted)))
    if not trouble:
        return ending
    record.desk.note(said(trouble))
    in_order = ending.code in (ExitCode.OK, ExitCode.DIFFERENCES)
    return replace(ending, code=ExitCode.HOOK if in_order else ending.code)


def refused(error: NetbirdTokensError) -> Ending:
    """The end of a run that an error of ours brought about."""
    problems = list(told(error.problems)) if isinstance(error, InputError) else []
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    why: Stopped = {
        "kind": kind, "message": error.message, "hint": error.hint, "problems": problems,
    }  # fmt: skip
    wrong = located(error.problems) if isinstance(error, InputError) else ()
    return Ending(error.exit_code, why, problems=tuple(wrong))


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
    lost = _unlogged(record, ending.code)
    ending = _with(lost, ending)
    lost += save(files, _shown(record, record.report(ending)), output.style)
    ending = _with(lost, ending)
    found = record.report(ending)
    shown = _shown(record, found)
    if not output.is_text:
        desk.show(shown[output.format](output.style))
    elif ending.stopped is None and (last := run_text.closing(found, output.style)):
        # people have read the plan and each result; an error follows on stderr
        desk.show(f"\n{last}")
    lost += save(streams, shown, output.style)
    return complain(desk, lost + _finish(record, found), ending.code)


def _with(lost: Sequence[Unwritten], ending: Ending) -> Ending:
    """What was lost counts where all else went well."""
    return replace(ending, code=ending.code or (ExitCode.ERROR if lost else ExitCode.OK))


def _unlogged(record: Record, code: ExitCode) -> list[Unwritten]:
    """Close the audit log; what did not get into it."""
    if record.trail is None:
        return []
    record.trail.closes(code)
    return record.trail.lost[:1]


def _finish(record: Record, found: Report) -> list[Unwritten]:
    """What is said beside the report: the last event, and to GitHub what is wrong where."""
    record.stream.tell(events.ended(found))
    if record.output.annotates:
        record.desk.annotate(github.annotated(found), record.output.place)
    return record.stream.end()


def _shown(record: Record, found: Report) -> Renderers:
    return of_run(found, record.output.place, record.clock())
