"""The words and signs that all reports share: symbols, labels, ages, what a change does.

Everything here is as its author wrote it; each renderer makes it harmless for its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.reasons import Cause
from reconciler.reports.ages import aged, ago
from reconciler.reports.document import Change, Facts, Gap, Old, Plan, moment

SYMBOLS: Final = {
    "register": "*",
    "create": "+",
    "renew": "+/-",
    "amend": "~",
    "revoke": "-",
    "clean": "-",
    "blocked": "!",
    "wait": "…",
    "unmanaged": "?",
    "keep": "=",
}
EFFECTS: Final = ("register", "create", "renew", "amend", "revoke", "clean")
GROUPS: Final = {
    Cause.CONFIG.value: "The file asks for",
    Cause.LIFECYCLE.value: "Due anyway",
    Cause.DRIFT.value: "Found out of step",
    "": "In order",
}
CAUSED: Final = "Caused by this change"
AVERTED: Final = "Not done any more, by this change"
WRITING: Final = ("apply", "renew", "rotate")
"""Commands that carry out a plan."""
_USUAL: Final = ("create", "renew", "revoke")
_UNUSUAL: Final = ("register", "amend", "clean", "blocked", "wait", "unmanaged")
_RECENT: Final = timedelta(days=7)
_PREFIXES: Final = {"wait": "stays", "rotate-requested": "asked for now"}
_FEW: Final = 3
_COMMIT: Final = 12
"""So much of a commit's id tells it from others."""
_NAMED: Final = 6
"""So many of a crowd are named."""


class Labels:
    """What to call each change: its name, with the user where the name alone is not unique."""

    def __init__(self, plan: Plan | None) -> None:
        changes = plan["changes"] if plan else []
        self.users = {c["user"]["id"]: c["user"]["name"] for c in changes}
        self._displays = Counter(self.users.values())
        owners = Counter(name for name, _ in {(c["name"], c["user"]["id"]) for c in changes})
        owners.update(plan.get("shared_names", ()) if plan else ())
        self._owners = owners

    def of(self, change: Change) -> str:
        return self.named(change["action"], change["name"], change["user"]["id"])

    def named(self, action: str, name: str, user: str) -> str:
        if action == "register":
            return f"sink {name}"
        if self._owners[name] < 2:  # noqa: PLR2004 - unique
            return name
        return f"{self.user(user)}/{name}"

    def user(self, user: str) -> str:
        """The name of a user; the id where two have one name."""
        display = self.users.get(user, user)
        return user if self._displays[display] > 1 else display


@dataclass(frozen=True, slots=True)
class Crowd:
    """Unmanaged tokens of one user that there is nothing else to say of; told in one line."""

    members: tuple[Change, ...]
    action = "unmanaged"

    @property
    def label(self) -> str:
        return f"{len(self.members)} tokens"

    @property
    def pieces(self) -> list[str]:
        shown = ", ".join(member["name"] for member in self.members[:_NAMED])
        more = len(self.members) - _NAMED
        rest = f" and {more} more" if more > 0 else ""
        user = self.members[0]["user"]["name"]
        return [f"of {user}, in no entry and no receipt", f"{shown}{rest}; -v lists each"]


def gathered(changes: Sequence[Change]) -> Iterator[Change | Crowd]:
    """The changes in their order; unmanaged tokens of one user come as a crowd when they are many."""
    alike: dict[str, list[Change]] = {}
    for change in changes:
        if _is_nobodys(change):
            alike.setdefault(change["user"]["id"], []).append(change)
    for change in changes:
        members = alike[change["user"]["id"]] if _is_nobodys(change) else []
        if len(members) <= _FEW:
            yield change
        elif change is members[0]:
            yield Crowd(tuple(members))


def _is_nobodys(change: Change) -> bool:
    return change["action"] == "unmanaged" and change["reason"]["code"] == "unmanaged"


def reason(change: Change, gaps: Iterable[Gap] = ()) -> list[str]:
    """Why, about which token, and which line of a file asks for it.

    What is said once of a gap is not said again of each change that it holds up.
    """
    why, origin, token = change["reason"], change["origin"], _token(change)
    text = why["text"] or why["code"].replace("-", " ")
    if any(gap["why"] == text for gap in gaps):
        text = "could not look, see above"
    if prefix := _PREFIXES.get(change["action"]) or _PREFIXES.get(why["code"]):
        text = f"{prefix}: {text}"
    place = f"{origin['file']}:{origin['line']}" if origin else ""
    return [text, "" if token in text else f"token {token}", place]


def _token(change: Change) -> str:
    """The token that it is about; a renewal tells of it elsewhere."""
    live = change["before"]
    return (live["token_id"] or "") if live and change["action"] != "renew" else ""


def details(change: Change, now: datetime) -> list[str]:
    """What a reader wants to know before saying yes, beyond the reason."""
    before, after, places = change["before"], change["after"], ", ".join(change.get("places", []))
    match change["action"]:
        case "create" if after:
            days = f"{after['days']} day{'' if after['days'] == 1 else 's'}"
            return [f"expires ~{after['expires_at'][:10]} ({days})", f"secret → {places}"]
        case "renew" if before and after:
            until = f"expires {before['expires_at'][:10]} → ~{after['expires_at'][:10]}"
            return [until, f"secret → {places}", *_old(before, change.get("old"))]
        case "amend":
            return [f"in the receipt at {places}; token and secret stay"]
        case "revoke":
            perhaps = ", should it be there" if change["reason"]["code"] == "orphan" else ""
            left = f"its secret leaves {places}{perhaps}" if places else ""
            return [*_recent_use(before, now), left]
        case "clean":
            return [f"its secret leaves {places}"]
        case "keep" if change["renews_at"]:
            return [f"renews {change['renews_at'][:10]}"]
        case "unmanaged" if before and before["created_at"]:
            by = before.get("creator")
            return [f"made {before['created_at'][:10]}" + (f" by {by}" if by else "")]
        case _:
            return []


def particulars(change: Change, now: datetime) -> list[str]:
    """What a reader wants to know of a change that is not about to be carried out."""
    told = details(change, now) if change["action"] == "unmanaged" else []
    return [*told, *_blamed(change)]


def _blamed(change: Change) -> Iterator[str]:
    if "blame" in change:
        blame = change["blame"]
        what = "last deletion" if blame["act"] == "deleted" else "created"
        when = f"{moment(blame['at']):%Y-%m-%d %H:%M} UTC"
        yield f"audit log: {what} under this name {when} by {blame['by']}"


def _old(before: Facts, old: Old | None) -> Iterable[str]:
    """What becomes of the token that is replaced, and of those before it."""
    if old is None:
        yield f"replaces {before['token_id']}"
    elif old["until"] is not None:
        unused = " and until unused" if old["rule"] == "when-unused" else ""
        yield f"old {before['token_id']} works until {old['until'][:10]}{unused}"
    for token in old["revoked_at_once"] if old else ():
        yield f"old {token} revoked as soon as the new secret is stored"


def _recent_use(facts: Facts | None, now: datetime) -> Iterable[str]:
    if facts and facts["last_used"]:
        age = now - moment(facts["last_used"])
        if age < _RECENT:
            yield f"! last used {ago(age)} ago"


def counted(summary: Mapping[str, int]) -> str:
    """How many changes of each kind; what is usual is named also where there is none of it."""
    named = _USUAL if any(summary[action] for action in EFFECTS) else ()
    parts = [
        f"{summary[each]} {each}" for each in (*_USUAL, *_UNUSUAL) if each in named or summary[each]
    ]
    kept = [f"{summary['keep']} unchanged"] if summary["keep"] or not parts else []
    return ", ".join(parts + kept)


def unread(found: Plan) -> Iterator[tuple[str, str]]:
    """What could not be read, users by their names, and why not."""
    users = Labels(found).users
    for gap in found["errors"]:
        kind, _, id_ = gap["what"].partition(" ")
        what = f"user {users[id_]}" if kind == "user" and id_ in users else gap["what"]
        yield what, gap["why"]


def basis(found: Plan) -> Iterator[str]:
    """What a plan rests on, where that is not a look of its own and the file alone."""
    if found.get("snapshot"):
        taken = moment(found["as_of"])
        age = f", {aged(moment(found['planned_at']) - taken)}" if "planned_at" in found else ""
        yield f"from a snapshot of {taken:%Y-%m-%d %H:%M} UTC{age}: to be read, not to be applied"
    if "base" in found:
        base = found["base"]
        where = f"{base['ref']} ({base['commit'][:_COMMIT]})"
        lack = (
            f": {base['lack']['text']}, so all counts as caused by this change"
            if "lack" in base
            else ""
        )
        yield f"compared with {where}{lack}"


def averted(found: Plan) -> Iterator[tuple[str, str]]:
    """Action and name of what the base would do, and the plan does not."""
    labels = Labels(found)
    for each in found["base"]["averted"] if "base" in found else ():
        name = labels.named(each["action"], each["name"], each["user"])
        yield each["action"], f"{each['action']} {name}"


def guards(found: Plan) -> str:
    """What the guards say about a plan with effects, in one line."""
    stops = [guard["id"] for guard in found["guards"] if guard["result"] == "stop"]
    if stops:
        return f"stopped by {', '.join(stops)}"
    limit = [guard["text"] for guard in found["guards"] if guard["id"] == "max_revokes"]
    return "; ".join(limit) or "nothing against it"
