"""drift: what differs behind the file's back, and what the audit log says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.api.service import HttpTokenReader
from reconciler.api.wire import Event
from reconciler.commands import renderings
from reconciler.commands.desk import Desk
from reconciler.commands.everyday import remark, warn
from reconciler.commands.notify import notifier, with_drift
from reconciler.commands.output import Output
from reconciler.commands.progress import waiting
from reconciler.commands.record import Record
from reconciler.commands.reporting import Look, viewed
from reconciler.core.blame import Act, Deed
from reconciler.core.drift import DriftClass
from reconciler.core.planner import make_plan
from reconciler.core.tokens import UserId
from reconciler.errors import ApiError, ExitCode, UsageError
from reconciler.reports import json
from reconciler.source.guess import closest
from reconciler.wiring import Parts

USUAL: Final = tuple(kind for kind in DriftClass if kind is not DriftClass.DUE)
_ACTS: Final = {
    "personal.access.token.create": Act.CREATED,
    "personal.access.token.delete": Act.DELETED,
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is worth an exit code of its own, and whether to ask who did it."""

    classes: tuple[DriftClass, ...] = USUAL
    blame: bool = False


def classes(written: str) -> tuple[DriftClass, ...]:
    """The classes in a list with commas. Raises UsageError."""
    found, known = [], [kind.value for kind in DriftClass]
    for word in filter(None, map(str.strip, written.split(","))):
        if word not in known:
            near = closest(word, known)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"--fail-on: {word!r} is no class of drift", hint=hint)
        found.append(DriftClass(word))
    if not found:
        raise UsageError("--fail-on names no class, so nothing would be told", hint="leave it out")
    return tuple(found)


def drift(parts: Parts, desk: Desk, output: Output, alarm: Alarm) -> ExitCode:
    """Say what differs behind the file's back. Sends GETs only."""
    record = Record("drift", desk, output)

    def work() -> Look:
        record.notifier = notifier(parts)
        warn(parts, record)
        with parts.reader() as api, waiting(desk, "reading tokens and sinks"):
            world = parts.look(api)
            deeds = _deeds(api, desk) if alarm.blame else []
        remark(parts, desk, world)
        plan = make_plan(world)
        found = json.drifted(plan, alarm.classes, deeds)
        alarming = [each for each in found if each[0] in alarm.classes]
        record.notifier = with_drift(record.notifier, alarming)
        code = ExitCode.DIFFERENCES if alarming else ExitCode.OK
        shown = renderings.of_drift(plan, record.planned(plan), found)
        return Look(shown, code if plan.complete else ExitCode.ERROR)

    return viewed(record, work)


def _deeds(api: HttpTokenReader, desk: Desk) -> Sequence[Deed]:
    """What the audit log says of tokens; a log that cannot be read is a word, not an end."""
    try:
        return list(_of_tokens(api.events()))
    except ApiError as error:
        desk.note(f"--blame: the audit log could not be read: {error.message}")
        return []


def _of_tokens(events: Sequence[Event]) -> Iterator[Deed]:
    for event in events:
        if act := _ACTS.get(event.activity_code):
            by = event.initiator_email or event.initiator_name or event.initiator_id
            owner = UserId(event.target_id)
            yield Deed(act, owner, event.name, by, event.initiator_id, event.timestamp)
