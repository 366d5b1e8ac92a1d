"""Whatever ends a command, it is reported: once to people, once in every report file."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reconciler.commands.audit import code_of
from reconciler.commands.notify import said
from reconciler.commands.output import Renderers, complain, save
from reconciler.commands.output import Report as ReportFile
from reconciler.commands.record import Record, located
from reconciler.commands.renderings import of_run
from reconciler.errors import ExitCode, InputError, NetbirdTokensError, Unwritten
from reconciler.reports import events, github, run_text
from reconciler.reports.ending import Report, Stopped
from reconciler.reports.json import Ending
from reconciler.signals import Interrupts, Leaving
from reconciler.source.problems import told


def recorded(record: Record, work: Callable[[], ExitCode]) -> ExitCode:
    """Do the work and report on it, once, whatever happens; then raise what the work raised."""
    record.output.check()
    record.stream.begin(record.command)
    try:
        with Leaving(lambda: "", record.desk.note):  # nothing to give back: signals unwind, no more
            code = work()
    except (KeyboardInterrupt, SystemExit) as signal:
        why = _broken(record, "interrupted", "interrupted")
        _report(record, Ending(code_of(signal), why, interrupted=True))
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
        keep: Writes the file that the command is for, if there is one. Raises Unwritten: that is exit 1.
        after: Called once all is shown and kept.
    """

    renderers: Renderers
    code: ExitCode
    keep: Callable[[], None] = _nothing_more
    after: Callable[[], None] = _nothing_more


def viewed(record: Record, work: Callable[[], Look]) -> ExitCode:
    """Do what only looks, show what it found, and write its report files, also where it failed."""
    record.output.check()
    record.stream.begin(record.command)
    desk, output = record.desk, record.output
    try:
        look = work()
    except NetbirdTokensError as error:
        end = _settled(record, refused(error), {})
        _finish(record, end, save(output.streams, end.renderers, output.style))
        raise
    unkept = _unkept(look)
    ending = Ending(ExitCode.ERROR if unkept else look.code)
    end = _settled(record, ending, look.renderers)
    desk.show(end.renderers[output.format](output.style))
    lost = unkept + save(output.streams, end.renderers, output.style)
    code = _finish(record, end, lost)
    if not unkept:
        look.after()
    return code


def _unkept(look: Look) -> list[Unwritten]:
    try:
        look.keep()
    except Unwritten as error:
        return [error]
    return []


def _call_failure(record: Record, ending: Ending) -> None:
    """Call the failure hooks, whatever ended the run; who stopped it by a signal does not wait for them."""
    fine = ending.code in (ExitCode.OK, ExitCode.DIFFERENCES)
    stopped = ending.interrupted or ending.code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    if record.on_failure and not (fine or stopped or _is_typed(record, ending)):
        record.on_failure(record.undone())


def _is_typed(record: Record, ending: Ending) -> bool:
    """Whether who is at fault sits before it and reads it."""
    return ending.code is ExitCode.USAGE and record.desk.interactive


def _notified(record: Record, ending: Ending) -> Ending:
    """Tell whom the config names; a notice that could not be sent is a hook that failed (exit 10)."""
    if record.notifier is None or _is_typed(record, ending):
        return ending
    trouble = record.notifier.tell(record.report(ending))
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
    """Write the report files and show the report; all is done, so a signal waits for that.

    Streams come last: nobody knows whether, and when, their other end reads.
    """
    desk, output = record.desk, record.output
    with Interrupts(lambda: ("the report",), lambda: ""):
        end = _settled(record, ending, {})
        if not output.is_text:
            desk.show(end.renderers[output.format](output.style))
        elif end.ending.stopped is None and (last := run_text.closing(end.found, output.style)):
            # people have read the plan and each result; an error follows on stderr
            desk.show(f"\n{last}")
        return _finish(record, end, save(output.streams, end.renderers, output.style))


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a run as it was told.

    Attributes:
        lost: What could not be written of it.
    """

    ending: Ending
    found: Report
    renderers: Renderers
    lost: list[Unwritten]


def _settled(record: Record, ending: Ending, look: Renderers) -> _End:
    """Tell files, the webhook and the audit log, in this order, with which exit code the run ends.

    Each of them may fail, and change it: so what can be written once more comes first, and is where the
    code has changed since; what can be said only once comes after all that is likely to fail.
    """
    output = record.output
    lost = list(record.trail.lost[:1]) if record.trail else []
    written = ending = _with(lost, ending)
    files = [report for report in output.files if not report.appends]
    lost += _saved(record, files, written, look)
    _call_failure(record, _with(lost, ending))
    ending = _notified(record, _with(lost, ending))
    added = [report for report in output.files if report.appends]
    lost += _saved(record, added, ending, look)
    ending = _with(lost, ending)
    lost += _unlogged(record, ending.code)
    ending = _with(lost, ending)
    if ending.code is not written.code:
        lost += _saved(record, files, ending, look)
    found = record.report(ending)
    return _End(ending, found, _shown(record, found, look), _each_once(lost))


def _saved(
    record: Record, reports: Sequence[ReportFile], ending: Ending, look: Renderers
) -> list[Unwritten]:
    if not reports:
        return []
    return save(reports, _shown(record, record.report(ending), look), record.output.style)


def _each_once(lost: Sequence[Unwritten]) -> list[Unwritten]:
    return list({error.message: error for error in lost}.values())


def _with(lost: Sequence[Unwritten], ending: Ending) -> Ending:
    """What was lost counts where all else went well."""
    return replace(ending, code=ending.code or (ExitCode.ERROR if lost else ExitCode.OK))


def _unlogged(record: Record, code: ExitCode) -> list[Unwritten]:
    """Close the audit log; what did not get into it."""
    if record.trail is None:
        return []
    record.trail.closes(code)
    return record.trail.lost[:1]


def _finish(record: Record, end: _End, lost: Sequence[Unwritten]) -> ExitCode:
    """What is said beside the report: the last event, to GitHub what is wrong where, and what was lost."""
    lost = [*end.lost, *lost]
    ending = _with(lost, end.ending)
    found = record.report(ending)
    record.stream.tell(events.ended(found))
    if record.output.annotates:
        record.desk.annotate(github.annotated(found), record.output.place)
    return complain(record.desk, lost + record.stream.end(), ending.code)


def _shown(record: Record, found: Report, look: Renderers) -> Renderers:
    return {**of_run(found, record.output.place, record.clock()), **look}
