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
    sink or a person asks for, and one whose token might end before the run after the next. Then come
    those that the file asks for: which of them, no renewal that merely falls due has a say in, else it
    would void an approval.
    """
    limit = world.wanted.schedule.max_renewals
    if limit is None:
        return list(changes)
    renewals = sorted((change for change in changes if isinstance(change, Renew)), key=_end)
    ends = world.now + world.wanted.schedule.slack
    urgent = [renewal for renewal in renewals if not _can_wait(renewal, ends)]
    asked = [renewal for renewal in renewals if _is_asked(renewal)][:limit]
    chosen = {id(renewal) for renewal in (*urgent, *asked)}
    rest = [renewal for renewal in renewals if not _is_asked(renewal) and id(renewal) not in chosen]
    chosen |= {id(renewal) for renewal in rest[: max(limit - len(chosen), 0)]}
    return [_wait(c, limit) if isinstance(c, Renew) and id(c) not in chosen else c for c in changes]


def _is_asked(renewal: Renew) -> bool:
    return renewal.why.reason.cause is Cause.CONFIG


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
