"""Plans and outcomes for machines: versioned documents, the same bytes for the same data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler import __version__
from reconciler.core.changes import Amend, Change, Create, Keep, Renew, Wait
from reconciler.core.drift import drift_of
from reconciler.core.fields import field_changes
from reconciler.core.outcome import Outcome, Result
from reconciler.core.plan import Plan
from reconciler.core.subjects import action_of, name_of, refs_of, token_of, user_of, where_of
from reconciler.core.tokens import DAY, LiveToken

FORMAT_VERSION: Final = "1.0"
"""Minor: something was added. Major: something changed; readers refuse an unknown major."""
VALID_FOR: Final = timedelta(hours=24)

Document = dict[str, object]


_LINE: Final = json.JSONEncoder(ensure_ascii=False)  # with `indent` it would be five times as slow


def dumps(document: Mapping[str, object]) -> str:
    """Each field on a line, and each item of a list on one: to be read, and compared with `diff`."""
    return _spread(document, "") + "\n"


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


def plan_document(plan: Plan) -> Document:
    """A plan; `schemas/plan.v1.schema.json` describes it. Holds no secret by construction."""
    return {
        **_head("plan"),
        "plan_id": plan.plan_id,
        "change_id": plan.change_id,
        "set": plan.set,
        "target": {"management_url": plan.server, "principal": plan.principal},
        "as_of": instant(plan.as_of),
        "valid_until": instant(plan.as_of + VALID_FOR),
        "complete": plan.complete,
        "errors": [{"what": gap.what, "why": gap.why} for gap in plan.gaps],
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
        "changes": [_change(change, plan) for change in plan.changes],
    }


def outcome_document(plan: Plan, outcome: Outcome) -> Document:
    """What an apply did; `schemas/report.v1.schema.json` describes it."""
    return {
        **_head("report"),
        "plan": plan_document(plan),
        "interrupted": outcome.interrupted,
        "results": [_result(result) for result in outcome.results],
    }


def drift_document(plan: Plan) -> Document:
    """What differs out of band."""
    found = [(drift_of(change), change) for change in plan.changes]
    return {
        **_head("drift"),
        "set": plan.set,
        "as_of": instant(plan.as_of),
        "complete": plan.complete,
        "errors": [{"what": gap.what, "why": gap.why} for gap in plan.gaps],
        "drift": [{"class": kind.value, **_change(c, plan)} for kind, c in found if kind],
    }


def tokens_document(tokens: Iterable[LiveToken], now: datetime) -> Document:
    """Live tokens, the next to expire first."""
    ordered = sorted(tokens, key=lambda token: (token.expires_at, token.id))
    return {
        **_head("tokens"),
        "as_of": instant(now),
        "tokens": [
            {
                **_token(t),
                "name": t.name,
                "user": t.user,
                "created_by": t.created_by,
                "works": t.works(now),
            }
            for t in ordered
        ],
    }


def _head(kind: str) -> Document:
    return {
        "format": f"netbird-tokens/{kind}",
        "format_version": FORMAT_VERSION,
        "tool": {"name": "netbird-tokens", "version": __version__},
    }


def _change(change: Change, plan: Plan) -> Document:
    user = user_of(change)
    before, after = _before(change), _after(change, plan)
    differing = field_changes(before, after) if before is not None and after is not None else ()
    where = where_of(change)
    return {
        "action": action_of(change),
        "name": name_of(change),
        "user": {"id": user, "name": plan.users.get(user, user)},
        "reason": {
            "code": change.why.reason.code,
            "cause": change.why.reason.cause.value,
            "text": change.why.text,
        },
        "before": before,
        "after": after,
        "fields": [
            {"path": field.path, "before": field.before, "after": field.after}
            for field in differing
        ],
        "tokens": sorted(str(ref.id) for ref in refs_of(change)),
        "until": instant(change.until) if isinstance(change, Wait) and change.until else None,
        "renews_at": instant(change.renews_at)
        if isinstance(change, Keep) and change.renews_at
        else None,
        "origin": {"file": where.file, "line": where.line, "column": where.column}
        if where
        else None,
    }


def _before(change: Change) -> Document | None:
    live = token_of(change)
    if live is None:
        return None
    facts = _token(live)
    if isinstance(change, Amend):
        facts["protect"] = change.before.protect
    return facts


def _after(change: Change, plan: Plan) -> Document | None:
    match change:
        case Create() | Renew():
            return {
                "token_id": None,
                "days": change.days,
                "created_at": None,
                "expires_at": (plan.as_of + change.days * DAY).date().isoformat(),
                "last_used": None,
                "rotation": change.spec.rotation,
                "protect": change.spec.protect,
                "sinks": [str(target.place) for target in change.targets],
            }
        case Amend():
            return {**_token(change.token), "protect": change.after.protect}
        case _:
            return None


def _token(live: LiveToken) -> Document:
    return {
        "token_id": live.id,
        "days": live.days,
        "created_at": instant(live.created_at),
        "expires_at": instant(live.expires_at),
        "last_used": instant(live.last_used) if live.last_used else None,
    }


def _result(result: Result) -> Document:
    effect = result.effect
    return {
        "action": action_of(effect),
        "name": name_of(effect),
        "user": user_of(effect),
        "status": result.status.value,
        "text": result.text,
        "token_id": result.token,
    }


def instant(moment: datetime) -> str:
    """RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
