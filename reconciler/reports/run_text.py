"""What becomes of a run, for people at a terminal: a line per action, and the end of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.core.outcome import Status
from reconciler.errors import ExitCode
from reconciler.reports import text
from reconciler.reports.ending import Report, Result, Stopped
from reconciler.reports.escape import terminal
from reconciler.reports.lines import Labels
from reconciler.reports.style import Style

_MARKS: Final = {
    Status.DONE.value: "✔",
    Status.FAILED.value: "✘",
    Status.ROLLED_BACK.value: "✘",
    Status.UNCERTAIN.value: "?",
    Status.SKIPPED.value: "–",
}
_DONE: Final = {
    "register": "registered",
    "create": "created",
    "renew": "renewed",
    "amend": "amended",
    "revoke": "revoked",
    "clean": "cleaned",
}


def result_line(result: Result, labels: Labels, style: Style) -> str:
    """One action's end, as it happens."""
    done = result["status"] == Status.DONE.value
    mark = style.paint("32" if done else "31", _MARKS[result["status"]])
    did = _DONE[result["action"]] if done else result["action"]
    name = terminal(labels.named(result["action"], result["name"], result["user"]))
    parts = [f"  {did} {name}", terminal(result["token_id"] or ""), terminal(_end(result))]
    first, *rest = text.hanging("  ".join(filter(None, parts)), style)
    return "\n".join([f"{mark} {first[2:]}", *rest])


def _end(result: Result) -> str:
    """The status where the text does not say it."""
    if not result["text"] or result["status"] in (Status.DONE.value, Status.SKIPPED.value):
        return result["text"]
    return f"{result['status']}: {result['text']}"


def report(found: Report, style: Style) -> str:
    """Everything about a run: the plan, what became of each action, why it stopped, what to do."""
    labels = Labels(found["plan"])
    parts = [text.plan(found["plan"], style)] if found["plan"] else []
    lines = [result_line(result, labels, style) for result in found["results"]]
    if found["stopped"]:
        lines.extend(stopped(found["stopped"]))
    if lines:
        parts.append("".join(f"{line}\n" for line in lines))
    return "\n".join(filter(None, [*parts, closing(found, style)]))


def stopped(why: Stopped) -> list[str]:
    """What ended a run, and what to try."""
    lines = [line for problem in why["problems"] for line in [*problem.splitlines(), ""]]
    lines.append(f"error: {why['message']}")
    return [*map(terminal, lines), *([f"  try: {terminal(why['hint'])}"] if why["hint"] else [])]


def closing(found: Report, style: Style) -> str:
    """The sum of a run, what it left behind, and what to do next; empty when that was nothing."""
    labels = Labels(found["plan"])
    lines = [*_counted(found, style), *_left(found["results"], labels), *_causes(found)]
    if found["exit"]["next"]:
        lines.append(found["exit"]["next"])
    return "".join(f"{line}\n" for line in lines)


def _counted(found: Report, style: Style) -> Iterator[str]:
    counts = {status: count for status, count in found["summary"].items() if count}
    if not counts:
        return
    if set(counts) == {Status.SKIPPED.value}:
        count = counts[Status.SKIPPED.value]
        what = "1 action was" if count == 1 else f"{count} actions were"
        yield style.paint("1", f"Nothing was changed: {what} not started.")
    else:
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        yield style.paint("1", f"Applied: {said}.")


def _left(results: Iterable[Result], labels: Labels) -> Iterator[str]:
    for result in results:
        if result["status"] == Status.UNCERTAIN.value:
            name = labels.named(result["action"], result["name"], result["user"])
            yield f"  left: {terminal(name)} {terminal(result['token_id'] or '(id not known)')}"
        elif result["status"] == Status.DONE.value and result["text"]:
            yield f"  now yours to do: {terminal(result['text'])}"


def _causes(found: Report) -> Iterator[str]:
    """What no action failed at, and the exit code speaks of all the same."""
    if found["exit"]["code"] == ExitCode.HOOK:
        yield "A hook or a notice failed; it is named above."
    if found["plan"] is None or not found["results"]:
        return
    if not found["plan"]["complete"]:
        yield "Not everything could be looked at; it is named above."
    if count := found["plan"]["summary"]["blocked"]:
        yield f"{count} {'change is' if count == 1 else 'changes are'} blocked; the plan above says why."
