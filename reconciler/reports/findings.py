"""What is wrong with a run, item by item and each at its place: the source of annotations and JUnit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.core.outcome import Status
from reconciler.reports.document import Origin, Plan
from reconciler.reports.ending import Report
from reconciler.reports.lines import Labels, reason, unread

_LONGEST: Final = 2_000
"""GitHub cuts an annotation at 4,096."""
_FAILED: Final = (Status.FAILED.value, Status.ROLLED_BACK.value, Status.UNCERTAIN.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be; all texts are as their authors wrote them.

    Attributes:
        about: A `file`, the `run`, a `guard`, an `entry` of the file, or an `action`.
        level: `error` or `warning`.
        title: What kind of thing, in a few words.
        text: What is wrong, in one line.
        origin: The place in a file that it is about, if there is one.
    """

    about: str
    level: str
    title: str
    text: str
    origin: Origin | None = None


def findings(found: Report) -> Iterator[Finding]:
    """Everything that kept a run from being in order, in the order in which people mend it."""
    yield from _problems(found)
    stopped, plan = found["stopped"], found["plan"]
    if stopped and not stopped["problems"]:
        yield Finding("run", "error", stopped["kind"], joined(stopped["message"], stopped["hint"]))
    if plan is None:
        return
    for what, why in unread(plan):
        yield Finding("run", "error", "could not look", f"{what}: {why}")
    if stopped is None:  # else the guard that stopped the run is told above
        for guard in plan["guards"]:
            if guard["result"] == "stop":
                text = joined(guard["text"], guard["hint"])
                yield Finding("guard", "error", f"guard {guard['id']}", text)
    yield from _blocked(plan)
    yield from _results(found, plan)


def _problems(found: Report) -> Iterator[Finding]:
    for each in found.get("problems", []):
        origin: Origin = {"file": each["file"], "line": each["line"], "column": each["column"]}
        text = joined(each["message"], each["fix"])
        yield Finding("file", each["severity"], each["code"], text, origin)


def _blocked(plan: Plan) -> Iterator[Finding]:
    labels = Labels(plan)
    for change in plan["changes"]:
        if change["action"] == "blocked" and change["reason"]["code"] != "unread":
            text = f"{labels.of(change)}: {reason(change)[0]}"
            title = f"blocked: {change['reason']['code']}"
            yield Finding("entry", "error", title, text, change["origin"])


def _results(found: Report, plan: Plan) -> Iterator[Finding]:
    labels = Labels(plan)
    origins = {(c["action"], c["name"], c["user"]["id"]): c["origin"] for c in plan["changes"]}
    for result in found["results"]:
        if result["status"] in _FAILED:
            action, name, user = result["action"], result["name"], result["user"]
            text = f"{labels.named(action, name, user)}: {result['text']}"
            if result["token_id"]:
                text += f"; token {result['token_id']}"
            title = f"{action} {result['status']}"
            yield Finding("action", "error", title, text, origins.get((action, name, user)))


def joined(text: str, more: str) -> str:
    """A text and what to do about it; cut where it grows with the set."""
    said = f"{text}; {more}" if more else text
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}… (the log has all of it)"
