"""The lines of the audit log (`schemas/audit.v1.schema.json`): who did what to which token, and when.

Each line says all of it, so that one alone can be read, moved and searched. An action has two: `began`
before it may have an effect, and `ended`; so has a run, around all of its actions. What was killed, or
was told twice to stop, leaves the first without the second.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.core.changes import Clean, Effect, Renew, Revoke
from reconciler.core.outcome import Result
from reconciler.core.subjects import action_of, name_of, places_of, user_of
from reconciler.reports import escape
from reconciler.reports.document import User, instant

FORMAT_VERSION: Final = "1.1"
"""Minor: something was added. Major: something changed; readers refuse an unknown major."""


@dataclass(frozen=True, slots=True)
class Run:
    """Who acts.

    Attributes:
        id: Random; what the lines of one run have in common.
        actor: Who set off the CI job; else user and host.
        url: The page of the job, empty outside of one; `commit` likewise.
    """

    id: str
    command: str
    actor: str
    url: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Where it acts, and by which plan; None where no file asked for it.

    Attributes:
        principal: Whose credential it is.
    """

    server: str
    principal: User
    set: str | None = None
    change_id: str | None = None
    plan_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """One action.

    Attributes:
        reason: Its code in the plan; None for what a person asked for by id.
        token: The token that goes; of a renewal the one that is replaced.
        at_once: Further tokens that it revokes.
        places: Where it writes, or removes, a secret or a receipt.
    """

    action: str
    name: str
    user: str
    reason: str | None = None
    token: str | None = None
    at_once: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """What became of a deed: a status of `core.outcome.Status`, and the token that was made."""

    result: str
    text: str = ""
    made: str | None = None


def deed_of(effect: Effect) -> Deed:
    """An effect of a plan."""
    token = effect.token.id if isinstance(effect, Revoke | Clean) else None
    at_once: tuple[str, ...] = ()
    if isinstance(effect, Renew):
        token, at_once = effect.old.id, tuple(str(old.id) for old in effect.retire_now)
    return Deed(
        action_of(effect),
        name_of(effect),
        user_of(effect),
        effect.why.reason.code,
        token,
        at_once,
        tuple(map(str, places_of(effect))),
    )


def end_of(result: Result) -> End:
    """Its end."""
    return End(result.status.value, result.text, result.token)


def of_run(at: datetime, run: Run, account: Account, code: int | None = None) -> str:
    """The line before the first action of a run, and with its exit code the one after the last."""
    kind = "run_began" if code is None else "run_ended"
    more = {} if code is None else {"exit_code": code}
    return _line({**_common(kind, at, run, account), **more})


def of_deed(at: datetime, run: Run, account: Account, deed: Deed, end: End | None = None) -> str:
    """The line before an action, and with its end the one after it; `at` is the server's time."""
    what: dict[str, object] = {
        **_common("began" if end is None else "ended", at, run, account),
        "action": deed.action,
        "name": deed.name,
        "user": deed.user,
        "reason": deed.reason,
        "token": deed.token,
        "revokes_at_once": list(deed.at_once),
        "places": list(deed.places),
    }
    if end is not None:
        what |= {"made": end.made, "result": end.result, "text": end.text}
    return _line(what)


def _common(kind: str, at: datetime, run: Run, account: Account) -> dict[str, object]:
    return {
        "format": "netbird-tokens/audit",
        "format_version": FORMAT_VERSION,
        "type": kind,
        "at": instant(at),
        "run": run.id,
        "command": run.command,
        "actor": run.actor,
        "run_url": run.url,
        "commit": run.commit,
        "server": account.server,
        "principal": account.principal,
        "set": account.set,
        "change_id": account.change_id,
        "plan_id": account.plan_id,
    }


def _line(document: dict[str, object]) -> str:
    return escape.json(json.dumps(document, ensure_ascii=False)) + "\n"
