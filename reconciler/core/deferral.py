"""No more renewals in one run than the config allows: the nearest end first, the rest as remarks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.core.changes import Change, Renew, Wait
from reconciler.core.reasons import Cause, Reason, Why
from reconciler.core.world import World


def deferred(changes: Sequence[Change], world: World) -> list[Change]:
    """The changes, with `Wait` in place of each renewal that is one too many.

    What cannot wait takes its share first, and is carried out even beyond the limit: a renewal that a
    sink or a person asks for, and one whose token might end before the run after the next.
    """
    limit = world.wanted.schedule.max_renewals
    if limit is None:
        return list(changes)
    ends = world.now + world.wanted.schedule.slack
    renewals = [change for change in changes if isinstance(change, Renew)]
    patient = sorted((r for r in renewals if _can_wait(r, ends)), key=_end)
    room = max(limit - (len(renewals) - len(patient)), 0)
    waiting = {id(renewal) for renewal in patient[room:]}
    return [_wait(c, limit) if isinstance(c, Renew) and id(c) in waiting else c for c in changes]


def _can_wait(renewal: Renew, ends: datetime) -> bool:
    reason = renewal.why.reason
    return (
        reason is not Reason.REQUESTED
        and reason.cause is not Cause.DRIFT
        and renewal.old.expires_at > ends
    )


def _end(renewal: Renew) -> tuple[datetime, str]:
    return renewal.old.expires_at, renewal.old.id


def _wait(renewal: Renew, limit: int) -> Wait:
    text = f"{renewal.why.text}; deferred: this run renews {limit}"
    return Wait(renewal.spec.name, renewal.old, Why(Reason.DEFERRED, text))
