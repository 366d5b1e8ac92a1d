"""What `list`, `inspect`, `status` and `drift` show, as tables for text and Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.reports import escape, markdown
from reconciler.reports.ages import remaining, since
from reconciler.reports.document import Change, Facts, Plan, Token, moment
from reconciler.reports.escape import terminal
from reconciler.reports.layout import table
from reconciler.reports.lines import Crowd, Labels, gathered, particulars, reason
from reconciler.reports.style import Detail, Style

_NONE: Final = "–"
_QUIET: Final = ("keep", "wait", "unmanaged")
_STAYS: Final = {"wait": "stays"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as their authors wrote them, and lines below that say what the rows do not."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    below: Sequence[str] = ()

    def text(self, style: Style) -> str:
        rows = [[terminal(cell) for cell in row] for row in self.rows]
        body = table(self.head, rows, style.width) if rows else ""
        return body + "".join(f"{terminal(line)}\n" for line in self.below)

    def markdown(self) -> str:
        body = markdown.table(self.head, self.rows) if self.rows else ""
        return body + "".join(f"\n{escape.markdown(line)}\n" for line in self.below)


def tokens(found: Sequence[Token], now: datetime, style: Style) -> Table:
    """Live tokens, the next to expire first; in full with who made them and when."""
    head = ["NAME", "ID", "EXPIRES", "LEFT", "LAST USED"]
    rows = [[t["name"], str(t["token_id"]), *_life(t, now)] for t in found]
    if style.detail is Detail.BRIEF:
        return Table(head, rows, () if rows else ("No tokens.",))
    made = [[str(token["created_at"])[:10], token["creator"]] for token in found]
    return Table([*head, "CREATED", "BY"], [a + b for a, b in zip(rows, made, strict=True)])


def token(found: Token, now: datetime) -> Table:
    """One token, a line per fact."""
    expires, until, _ = _life(found, now)
    used = found["last_used"]
    facts = {
        "name": found["name"],
        "id": str(found["token_id"]),
        "user": found["owner"],
        "created": f"{_minute(found['created_at'])} by {found['creator']}",
        "expires": f"{expires} ({until})",
        "made for": f"{found['days']} days",
        "last used": f"{_minute(used)} ({since(now - moment(used))})" if used else "never",
    }
    return Table(("", ""), list(facts.items()))


def status(plan: Plan, style: Style) -> Table:
    """Each entry: how long it lives, when it renews, when it was used, what the next apply does."""
    labels, now = Labels(plan), moment(plan["as_of"])
    full = style.detail is Detail.FULL
    rows, hidden = [], 0
    for each in plan["changes"] if full else gathered(plan["changes"]):
        if isinstance(each, Crowd):
            hidden += len(each.members)
        elif each["action"] != "register":
            live = each["before"]
            expires, until, used = _life(live, now) if live else (_NONE, _NONE, _NONE)
            renews = (each["renews_at"] or _NONE)[:10]
            more = [str(live["token_id"]) if live else _NONE, expires] if full else []
            state = _state(each, plan) if full else _code(each)
            rows.append([labels.of(each), *more, until, used, renews, state])
    more = ["TOKEN", "EXPIRES"] if full else []
    below = [f"and {hidden} unmanaged tokens; -v lists each"] if hidden else []
    return Table(("NAME", *more, "LEFT", "LAST USED", "RENEWS", "STATE"), sorted(rows), below)


def drift(found: Sequence[tuple[str, Change]], plan: Plan, style: Style) -> Table:
    """What differs out of band, by class; for Markdown."""
    labels, now = Labels(plan), moment(plan["as_of"])
    kinds = {id(change): kind for kind, change in found}
    changes = [change for _, change in found]
    rows = []
    for each in changes if style.detail is Detail.FULL else gathered(changes):
        if isinstance(each, Crowd):
            rows.append([each.action, each.label, "; ".join(each.pieces)])
        else:
            why = "; ".join(filter(None, (*reason(each), *particulars(each, now))))
            rows.append([kinds[id(each)], labels.of(each), why])
    return Table(("Class", "Token", "What"), sorted(rows), () if rows else ("No drift.",))


def _state(change: Change, plan: Plan) -> str:
    """What the next apply does, and why."""
    said = reason(change, plan["errors"])[0]
    return said if change["action"] in _QUIET else f"{change['action']}: {said}"


def _code(change: Change) -> str:
    """The same, with the reason as a code that `explain` knows."""
    action, code = change["action"], change["reason"]["code"]
    return code if action in ("keep", "unmanaged") else f"{_STAYS.get(action, action)}: {code}"


def _life(live: Facts, now: datetime) -> tuple[str, str, str]:
    """The last day, the time to go, and the last use."""
    expires = moment(live["expires_at"])
    until = remaining(expires - now) if now <= expires else "expired"
    used = since(now - moment(live["last_used"])) if live["last_used"] else "never"
    return live["expires_at"][:10], until, used


def _minute(instant: str | None) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC" if instant else _NONE
