"""Plans and outcomes as documents, and documents as bytes: the same bytes for the same data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler import __version__
from reconciler.core.blame import Deed, deed_behind
from reconciler.core.changes import Clean, Revoke
from reconciler.core.comparison import Base, Lacking, split
from reconciler.core.drift import DriftClass, drift_of
from reconciler.core.outcome import Result as Ended
from reconciler.core.outcome import Status
from reconciler.core.plan import Plan as Made
from reconciler.core.subjects import action_of, name_of, user_of
from reconciler.core.tokens import LiveToken, User
from reconciler.errors import ExitCode
from reconciler.reports import beside, escape
from reconciler.reports.beside import Averted, Blame
from reconciler.reports.changes import change_document, facts_of, with_fields
from reconciler.reports.document import (
    FORMAT_VERSION,
    Change,
    Gap,
    Plan,
    Token,
    Tool,
    instant,
)
from reconciler.reports.ending import Problem, Report, Result, Stopped
from reconciler.reports.exits import EXITS, after_a_part

VALID_FOR: Final = timedelta(hours=24)
TOOL: Final[Tool] = {"name": "netbird-tokens", "version": __version__}


_LINE: Final = json.JSONEncoder(ensure_ascii=False)  # with `indent` it would be five times as slow


def dumps(document: Mapping[str, object]) -> str:
    """Each field on a line, and each item of a list on one: to be read, and compared with `diff`.

    Letters stay letters, and nothing in it can steer a terminal.
    """
    return escape.json(_spread(document, "")) + "\n"


def _spread(value: object, margin: str) -> str:
    deeper = margin + "  "
    match value:
        case {**fields} if fields:
            lines = [f"{_LINE.encode(k)}: {_spread(each, deeper)}" for k, each in fields.items()]
            opened, closed = "{", "}"
        case list(items) if items:
            lines = list(map(_LINE.encode, items))
            opened, closed = "[", "]"
        case _:
            return _LINE.encode(value)
    inner = f",\n{deeper}".join(lines)
    return f"{opened}\n{deeper}{inner}\n{margin}{closed}"


def plan_document(plan: Made) -> Plan:
    """A plan, but for the `fields` of its changes. Holds no secret by construction."""
    document: Plan = {
        "format": "netbird-tokens/plan",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "plan_id": plan.plan_id,
        "change_id": plan.change_id,
        "set": plan.set,
        "target": {"management_url": plan.server, "principal": plan.principal},
        "as_of": instant(plan.as_of),
        "valid_until": instant(plan.as_of + VALID_FOR),
        "complete": plan.complete,
        "errors": _gaps(plan),
        "summary": plan.summary(),
        "live": {
            "ours": plan.counts.ours,
            "others": plan.counts.others,
            "unmanaged": plan.counts.unmanaged,
        },
        "guards": [
            {
                "id": guard.id,
                "result": "stop" if guard.stop else "pass",
                "text": guard.text,
                "hint": guard.hint if guard.stop else "",
            }
            for guard in plan.guards
        ],
        "changes": [change_document(change, plan) for change in plan.changes],
    }
    if plan.is_past:
        document["snapshot"] = True
    if elsewhere := plan.shared_with_the_rest():
        document["shared_names"] = elsewhere
    return document


def plan_beside(plan: Made, base: Base) -> Plan:
    """The same, and of each change whether it is caused by what differs from the base."""
    document, parted = plan_document(plan), split(plan, base)
    causes = (id(change) in parted.caused for change in plan.changes)
    averted: list[Averted] = [
        {"action": action_of(each), "name": name_of(each), "user": user_of(each)}
        for each in parted.averted
    ]
    before: beside.Base = {
        "ref": base.ref,
        "commit": base.commit,
        "found": not isinstance(base.plan, Lacking),
        "averted": averted,
    }
    if isinstance(base.plan, Lacking):
        before["lack"] = {"code": base.plan.lack.value, "text": base.plan.text}
    return {
        **document,
        "base": before,
        "changes": [
            {**change, "caused": caused}
            for change, caused in zip(document["changes"], causes, strict=True)
        ],
    }


def detailed(plan: Plan) -> Plan:
    """The same with `fields`: all that `schemas/plan.v1.schema.json` describes."""
    return {**plan, "changes": [with_fields(change) for change in plan["changes"]]}


def drift_document(plan: Made, found: Sequence[tuple[str, Change]]) -> dict[str, object]:
    """What differs out of band: `schemas/drift.v1.schema.json`."""
    return {
        "format": "netbird-tokens/drift",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "set": plan.set,
        "as_of": instant(plan.as_of),
        "complete": plan.complete,
        "errors": _gaps(plan),
        "drift": [{"class": kind, **with_fields(change)} for kind, change in found],
    }


def drifted(
    plan: Made, asked: Collection[DriftClass] = (), deeds: Sequence[Deed] = ()
) -> list[tuple[str, Change]]:
    """Every change that is drift, with its class, and who may be behind it."""
    found = []
    for change in plan.changes:
        if kind := drift_of(change, asked):
            shown, deed = change_document(change, plan), deed_behind(change, deeds)
            found.append((kind.value, {**shown, "blame": blame_document(deed)} if deed else shown))
    return found


def blame_document(deed: Deed) -> Blame:
    """One event of the audit log."""
    return {"act": deed.act.value, "by": deed.by, "user": deed.by_id, "at": instant(deed.at)}


def tokens_document(tokens: Iterable[Token], now: datetime) -> dict[str, object]:
    """Live tokens, the next to expire first: `schemas/tokens.v1.schema.json`."""
    return {
        "format": "netbird-tokens/tokens",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "as_of": instant(now),
        "tokens": list(tokens),
    }


def live_tokens(tokens: Iterable[LiveToken], users: Iterable[User], now: datetime) -> list[Token]:
    """Live tokens with the names of those who made them, the next to expire first."""
    names = {user.id: user.name or user.id for user in users}
    return [
        {
            **facts_of(token, names),
            "name": token.name,
            "user": token.user,
            "owner": names.get(token.user, token.user),
            "works": token.works(now),
        }
        for token in sorted(tokens, key=lambda token: (token.expires_at, token.id))
    ]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its exit code, the error that ended it if there was one, what is wrong in files.

    Attributes:
        set: Whose run it was, where that is known without a plan.
        approved: Whether a change id was the yes to it, which fits no more once a part is done.
    """

    code: ExitCode
    stopped: Stopped | None = None
    interrupted: bool = False
    problems: tuple[Problem, ...] = ()
    set: str = ""
    approved: bool = False


def report_document(
    command: str, plan: Plan | None, results: Sequence[Ended], ending: Ending
) -> Report:
    """What became of a run: `schemas/report.v1.schema.json`, but for the `fields` of its plan."""
    counted = Counter(result.status for result in results)
    in_part = ending.approved and counted[Status.DONE]
    said = after_a_part(ending.code) if in_part else EXITS[ending.code]
    return {
        "format": "netbird-tokens/report",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "set": plan["set"] if plan else ending.set,
        "command": command,
        "exit": {
            "code": int(ending.code),
            "meaning": said.meaning,
            "retry": said.retry,
            "next": said.next,
        },
        "stopped": ending.stopped,
        "problems": list(ending.problems),
        "interrupted": ending.interrupted,
        "summary": {status.value: counted[status] for status in Status},
        "results": [result_document(result) for result in results],
        "plan": plan,
    }


def detailed_report(report: Report) -> Report:
    """The same with the `fields` of its plan."""
    return {**report, "plan": report["plan"] and detailed(report["plan"])}


def result_document(result: Ended) -> Result:
    """One action and its end."""
    effect = result.effect
    gone = effect.token.id if isinstance(effect, Revoke | Clean) else None
    return {
        "action": action_of(effect),
        "name": name_of(effect),
        "user": user_of(effect),
        "status": result.status.value,
        "text": result.text,
        "token_id": result.token or gone,
    }


def _gaps(plan: Made) -> list[Gap]:
    return [{"what": gap.what, "why": gap.why} for gap in plan.gaps]
