"""A run as metrics for the textfile collector of Prometheus' node exporter, and for Pushgateways.

One file serves all commands of a set: what a run knows nothing of stays as an earlier one left it.
Instants, never ages: a file that is no longer written must not look fresh.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from reconciler.core.drift import DriftClass, class_of
from reconciler.core.outcome import Status
from reconciler.core.tokens import DAY
from reconciler.errors import ExitCode
from reconciler.reports.document import Change, Plan, moment
from reconciler.reports.ending import Report, Result
from reconciler.reports.escape import label
from reconciler.reports.lines import EFFECTS, WRITING, Labels

_PREFIX: Final = "netbird_tokens_"
_HELP: Final = {
    "last_run_timestamp_seconds": "When a command ended, by the clock of its machine.",
    "last_run_exit_code": "How it ended: 0 in order, 2 differences; `netbird-tokens explain CODE`.",
    "last_success_timestamp_seconds": "When a command last ended with exit code 0 or 2.",
    "last_look_complete": "1 if the last look saw everything; 0: some series below are older.",
    "token_expires_timestamp_seconds": "When the token of an entry expires, by the server's clock.",
    "drift": "What differs behind the file's back, by class.",
    "actions": "Actions of the last run that wrote, by what became of them.",
}
_OF_RUNS: Final = ("last_run_", "last_success_")
_SAMPLE: Final = re.compile(
    r'netbird_tokens_([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})?'
    r" ([0-9]+)"
)
_WHOLE: Final = ("drift", "status", "plan")
"""Their plans are about every entry. What writes may carry out a part, and speaks of no other."""
_OF_DRIFT: Final = ("drift", "status")
"""After an apply, what its plan found is mended."""
_IN_ORDER: Final = (ExitCode.OK, ExitCode.DIFFERENCES)

Samples = dict[tuple[str, str], int]
"""Name without prefix and labels in braces, to the value."""


def render(found: Report, now: datetime) -> str:
    """What this run alone knows."""
    return _exposed(_known(found, int(now.timestamp())))


def merged(before: str, after: str) -> str:
    """The metrics of a run over those of the runs before it.

    Of other commands everything stays. Tokens and drift stay where this run did not see all of them:
    could not look is not nothing there.
    """
    older, newer = _samples(before), _samples(after)
    is_complete = newer.get(("last_look_complete", "")) == 1
    acted = any(name == "actions" for name, _ in newer)
    kept = {
        (name, labels): value
        for (name, labels), value in older.items()
        if name.startswith(_OF_RUNS)
        or name in ("drift", "last_look_complete")
        or (name.startswith("token_expires_") and not is_complete)
        or (name == "actions" and not acted)
    }
    return _exposed({**dict(_actions([])), **kept, **newer})


def _known(found: Report, now: int) -> Samples:
    command, code, plan = _braced(command=found["command"]), found["exit"]["code"], found["plan"]
    samples: Samples = {
        ("last_run_timestamp_seconds", command): now,
        ("last_run_exit_code", command): code,
    }
    if code in _IN_ORDER:
        samples["last_success_timestamp_seconds", command] = now
    if found["command"] in WRITING:
        samples.update(_actions(found["results"]))
    if plan is not None:
        samples.update(_expiries(found, plan))
        if found["command"] in _WHOLE:
            samples["last_look_complete", ""] = int(plan["complete"])
    if plan is not None and found["command"] in _OF_DRIFT:
        drift = Counter(class_of(change["reason"]["code"]) for change in plan["changes"])
        for kind in DriftClass:
            if kind is not DriftClass.DUE:
                samples["drift", _braced(**{"class": kind.value})] = drift[kind]
    return samples


def _actions(results: Iterable[Result]) -> Iterator[tuple[tuple[str, str], int]]:
    ended = Counter((each["action"], each["status"]) for each in results)
    for action in EFFECTS:
        for status in Status:
            labels = _braced(action=action, result=status.value)
            yield ("actions", labels), ended[action, status.value]


def _expiries(found: Report, plan: Plan) -> Iterator[tuple[tuple[str, str], int]]:
    """Each entry's token, the earliest where several go by one name."""
    people, made = Labels(plan), _made(found)
    ends: dict[str, int] = {}
    for change in plan["changes"]:
        end = _end(change, plan, made)
        if end is not None:
            user = people.user(change["user"]["id"])
            labels = _braced(set=plan["set"], name=change["name"], user=user)
            ends[labels] = min(end, ends.get(labels, end))
    for labels, end in ends.items():
        yield ("token_expires_timestamp_seconds", labels), end


def _made(found: Report) -> set[tuple[str, str]]:
    """Entries that this run made a new token for."""
    done = [each for each in found["results"] if each["status"] == Status.DONE.value]
    return {(e["name"], e["user"]) for e in done if e["action"] in ("create", "renew")}


def _end(change: Change, plan: Plan, made: set[tuple[str, str]]) -> int | None:
    before, after = change["before"], change["after"]
    if change["action"] not in ("create", "renew", "amend", "keep", "blocked"):
        return None
    if after and (change["name"], change["user"]["id"]) in made:
        return int((moment(plan["as_of"]) + after["days"] * DAY).timestamp())
    return int(moment(before["expires_at"]).timestamp()) if before else None


def _braced(**labels: str) -> str:
    return "{" + ",".join(f"{name}={label(value)}" for name, value in labels.items()) + "}"


def _exposed(samples: Samples) -> str:
    lines: list[str] = []
    for name, meaning in _HELP.items():
        of_name = sorted(
            (labels, value) for (each, labels), value in samples.items() if each == name
        )
        if of_name:
            lines += [f"# HELP {_PREFIX}{name} {meaning}", f"# TYPE {_PREFIX}{name} gauge"]
            lines += [f"{_PREFIX}{name}{labels} {value}" for labels, value in of_name]
    return "".join(f"{line}\n" for line in lines)


def _samples(text: str) -> Samples:
    """The samples that we write; whatever else stands there is no concern of ours."""
    found = map(_SAMPLE.fullmatch, text.splitlines())
    return {(m[1], m[2] or ""): int(m[3]) for m in found if m and m[1] in _HELP}
