"""One change of a plan as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.core.changes import (
    Amend,
    Create,
    Keep,
    Renew,
    Wait,
)
from reconciler.core.changes import Change as Decided
from reconciler.core.fields import field_changes
from reconciler.core.plan import Plan
from reconciler.core.spec import Retire
from reconciler.core.subjects import (
    action_of,
    name_of,
    places_of,
    refs_of,
    token_of,
    user_of,
    where_of,
)
from reconciler.core.timing import overlap
from reconciler.core.tokens import DAY, LiveToken, UserId
from reconciler.reports.document import Change, Facts, Field, Old, instant


def change_document(change: Decided, plan: Plan) -> Change:
    """Everything that any format says about it, but for `fields`, which take long to find."""
    user = user_of(change)
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
        "before": _before(change, plan),
        "after": _after(change, plan),
        "fields": [],
        "tokens": sorted(str(ref.id) for ref in refs_of(change)),
        "until": instant(change.until) if isinstance(change, Wait) and change.until else None,
        "renews_at": instant(change.renews_at)
        if isinstance(change, Keep) and change.renews_at
        else None,
        "origin": {"file": where.file, "line": where.line, "column": where.column}
        if where
        else None,
        "places": [str(place) for place in places_of(change)],
        "old": _old(change, plan.as_of) if isinstance(change, Renew) else None,
    }


def with_fields(change: Change) -> Change:
    """The same with the fields that differ."""
    before, after = change["before"], change["after"]
    if before is None or after is None:
        return change
    differing = field_changes(before, after)
    fields: list[Field] = [
        {"path": field.path, "before": field.before, "after": field.after} for field in differing
    ]
    return {**change, "fields": fields}


def _old(change: Renew, now: datetime) -> Old:
    old, rule = change.old, change.spec.retire
    at_once = [str(token.id) for token in change.retire_now]
    successor = replace(old, created_at=now, expires_at=now + change.days * DAY)
    until = now + overlap(change.spec, successor)
    if rule is Retire.AT_EXPIRY or until > old.expires_at:
        until = old.expires_at
    return {
        "until": None if old.id in at_once else instant(until),
        "rule": rule.value,
        "revoked_at_once": at_once,
    }


def _before(change: Decided, plan: Plan) -> Facts | None:
    live = token_of(change)
    if live is None:
        return None
    facts = facts_of(live, plan.users)
    if isinstance(change, Amend):
        facts["protect"] = change.before.protect
    return facts


def _after(change: Decided, plan: Plan) -> Facts | None:
    match change:
        case Create() | Renew():
            return {
                "token_id": None,
                "days": change.days,
                "lifetime": str(change.spec.lifetime),
                "created_at": None,
                "expires_at": (plan.as_of + change.days * DAY).date().isoformat(),
                "last_used": None,
                "created_by": plan.principal,
                "creator": plan.users.get(plan.principal, plan.principal),
                "rotation": change.spec.rotation,
                "protect": change.spec.protect,
                "sinks": [str(target.place) for target in change.targets],
            }
        case Amend():
            return {**facts_of(change.token, plan.users), "protect": change.after.protect}
        case _:
            return None


def facts_of(live: LiveToken, users: Mapping[UserId, str]) -> Facts:
    """A token as it is; `users` are the display names that are known."""
    return {
        "token_id": live.id,
        "days": live.days,
        "created_at": instant(live.created_at),
        "expires_at": instant(live.expires_at),
        "last_used": instant(live.last_used) if live.last_used else None,
        "created_by": live.created_by,
        "creator": users.get(live.created_by, live.created_by),
    }
