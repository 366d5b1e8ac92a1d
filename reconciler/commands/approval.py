"""Holding an apply to what was reviewed: a saved plan, or an approved change id (exit 6)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from reconciler.core.changes import Effect
from reconciler.core.plan import Plan, decision, digest_of
from reconciler.core.subjects import action_of
from reconciler.errors import PlanMismatch, UsageError

_EFFECTS = ("register", "create", "renew", "amend", "revoke", "clean")
_AGAIN = "run plan again and have it reviewed"


def check_change(found: Plan, approved: str | None) -> None:
    """Raises PlanMismatch unless the file still causes exactly what was approved."""
    if approved is not None and found.change_id != approved:
        raise PlanMismatch(
            f"the approved change is {approved}, but the file now causes {found.change_id}",
            hint=_AGAIN,
        )


def narrowed(found: Plan, saved: Path | None) -> Plan:
    """The part of a fresh plan that a saved one lists.

    Raises:
        PlanMismatch: The saved plan was altered, is too old, is for another account or principal, or
            the world has moved: something it lists is no longer what should be done.
    """
    if saved is None:
        return found
    document = _read(saved)
    _check(document, found)
    wanted = _decisions(document)
    fresh: dict[str, Effect] = {_key(decision(effect)): effect for effect in found.effects}
    for decided in wanted:
        if _key(decided) not in fresh:
            action, _, name, reason, _ = decided
            raise PlanMismatch(
                f"stale plan: {action} {name} ({reason}) is no longer what should be done",
                hint=_AGAIN,
            )
    keys = {_key(decided) for decided in wanted}
    effects = [effect for key, effect in fresh.items() if key in keys]
    remarks = [change for change in found.changes if action_of(change) not in _EFFECTS]
    return found.only([*effects, *remarks])


def _check(document: dict[str, Any], found: Plan) -> None:
    target = document["target"]
    if document["plan_id"] != digest_of(
        document["set"], target["management_url"], target["principal"], _decisions(document)
    ):
        raise PlanMismatch("the plan file was altered: its plan_id does not fit", hint=_AGAIN)
    if (document["set"], target["management_url"], target["principal"]) != (
        found.set,
        found.server,
        found.principal,
    ):
        raise PlanMismatch("the plan was made for another set, server or principal", hint=_AGAIN)
    if found.as_of > datetime.fromisoformat(document["valid_until"]):
        raise PlanMismatch(f"the plan was valid until {document['valid_until']}", hint=_AGAIN)


def _decisions(document: dict[str, Any]) -> list[list[object]]:
    return [
        [c["action"], c["user"]["id"], c["name"], c["reason"]["code"], c["tokens"]]
        for c in document["changes"]
        if c["action"] in _EFFECTS
    ]


def _key(decided: list[object]) -> str:
    return json.dumps(decided)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != "netbird-tokens/plan" or document["format_version"][:2] != "1.":
            raise PlanMismatch(f"{path} is no plan that this version can read", hint=_AGAIN)
        (
            _decisions(document),
            document["set"],
            document["target"]["principal"],
            document["valid_until"],
        )
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", hint="name the file that plan --out wrote"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise PlanMismatch(f"{path} is not a plan, or was altered", hint=_AGAIN) from None
    return dict(document)
