"""Aligned tables for `list`, `inspect`, `status` and `drift`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from reconciler.core.changes import Keep
from reconciler.core.drift import drift_of
from reconciler.core.plan import Plan
from reconciler.core.subjects import token_of
from reconciler.core.tokens import DAY, LiveToken
from reconciler.reports.escape import terminal
from reconciler.reports.lines import Labels, ago

_NEVER: Final = "never"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; no trailing blanks."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines) + "\n"


def tokens(found: Sequence[LiveToken], now: datetime) -> str:
    """Live tokens, the next to expire first."""
    rows = [
        (terminal(t.name), t.id, f"{t.created_at:%Y-%m-%d}", *_life(t, now), terminal(t.created_by))
        for t in sorted(found, key=lambda t: (t.expires_at, t.id))
    ]
    return table(("NAME", "ID", "CREATED", "EXPIRES", "LEFT", "LAST USED", "CREATED BY"), rows)


def token(found: LiveToken, now: datetime) -> str:
    """One token, a line per fact."""
    expires, left, used = _life(found, now)
    facts = {
        "name": terminal(found.name),
        "id": found.id,
        "user": terminal(found.user),
        "created": f"{found.created_at:%Y-%m-%d %H:%M} UTC by {terminal(found.created_by)}",
        "expires": f"{expires} ({left})",
        "made for": f"{found.days} days",
        "last used": used,
    }
    return "".join(f"{key:<10} {value}\n" for key, value in facts.items())


def status(plan: Plan) -> str:
    """Each entry: what is live, how long it lives, when it renews, what the next apply does."""
    labels = Labels(plan)
    rows = []
    for change in plan.changes:
        live = token_of(change)
        life = _life(live, plan.as_of) if live else ("–", "–", "–")
        renews = (
            f"{change.renews_at:%Y-%m-%d}" if isinstance(change, Keep) and change.renews_at else "–"
        )
        state = terminal(change.why.text) or change.why.reason.code
        rows.append((labels.of(change), live.id if live else "–", *life, renews, state))
    return table(("NAME", "TOKEN", "EXPIRES", "LEFT", "LAST USED", "RENEWS", "STATE"), sorted(rows))


def drift(plan: Plan) -> str:
    """What differs out of band, by class."""
    labels = Labels(plan)
    rows = [
        (
            found.value,
            labels.of(change),
            live.id if (live := token_of(change)) else "–",
            terminal(change.why.text),
        )
        for change in plan.changes
        if (found := drift_of(change)) is not None
    ]
    if not rows:
        return "No drift.\n"
    return table(("CLASS", "NAME", "TOKEN", "WHAT"), sorted(rows))


def _life(live: LiveToken, now: datetime) -> tuple[str, str, str]:
    days = (live.expires_at - now) // DAY
    left = f"{days}d" if live.works(now) else "expired"
    used = _NEVER if live.last_used is None else f"{ago(max(now - live.last_used, DAY * 0))} ago"
    return f"{live.expires_at:%Y-%m-%d}", left, used
