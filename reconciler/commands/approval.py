"""Holding an apply to what was reviewed: a saved plan, or an approved change id (exit 6)."""

from __future__ import annotations

import json

from reconciler.commands import saved
from reconciler.commands.saved import Saved
from reconciler.core.changes import Effect
from reconciler.core.decisions import Decision, decision
from reconciler.core.plan import Plan as Made
from reconciler.core.secret import hide_tokens
from reconciler.core.settled import Settled
from reconciler.core.shards import Shard
from reconciler.core.subjects import action_of
from reconciler.core.world import World
from reconciler.errors import PlanMismatch
from reconciler.reports.document import Plan, moment
from reconciler.reports.lines import EFFECTS

_AGAIN = "run plan again and have it reviewed"


def check_change(found: Made, approved: str | None, shared: Saved | None = None) -> None:
    """Raises PlanMismatch unless the file still causes exactly what was approved.

    Of a plan that several jobs share it is the saved one that counts, as it was sealed: the first of them
    that is done changes what the file still causes.
    """
    if approved is not None and not approved.strip():
        raise PlanMismatch(
            "--approved-change is empty, so nothing was approved",
            hint="hand on the change id that plan printed, or leave the flag and its variable out",
        )
    if approved is None:
        return
    caused, what = found.change_id, "the file now causes"
    if shared is not None:
        caused, what = shared.plan["change_id"], f"{shared.path} is for"
    if caused != approved:
        raise PlanMismatch(
            f"the approved change is {approved}, but {what} {caused}",
            hint=_AGAIN,
        )


def narrowed(found: Made, world: World, kept: Saved | None, shard: Shard | None = None) -> Made:
    """The part of a fresh plan that a saved one lists, or that a shard of it does.

    What is so by now, since a run was cut off and comes again, is passed over.

    Raises:
        UsageError: The file cannot be read.
        PlanMismatch: The saved plan was altered, is too old, is for another account or principal, or
            the world has moved: something it lists is neither so nor any longer what should be done.
    """
    if kept is None:
        return found
    document = kept.plan
    _check(document, found)
    settled = Settled(found, world, moment(document["as_of"]))
    fresh: dict[str, Effect] = {_key(decision(effect)): effect for effect in found.effects}
    keys = set()
    for decided in _part(saved.decisions(document), shard):
        if _key(decided) in fresh:
            keys.add(_key(decided))
        elif decided not in settled:
            action, _, name, reason, *_ = decided
            raise PlanMismatch(
                f"stale plan: {action} {name} ({reason}) is no longer what should be done, or not so",
                hint=_AGAIN,
            )
    effects = [effect for key, effect in fresh.items() if key in keys]
    remarks = [change for change in found.changes if action_of(change) not in EFFECTS]
    return found.only([*effects, *remarks])


def _part(decisions: list[Decision], shard: Shard | None) -> list[Decision]:
    if shard is None:
        return decisions
    whole = any(action == "register" for action, *_ in decisions)
    return [each for each in decisions if shard.has(str(each[1]), whole=whole)]


def _check(document: Plan, found: Made) -> None:
    target = document["target"]
    if saved.is_altered(document):
        raise PlanMismatch("the plan file was altered: its digest does not fit", hint=_AGAIN)
    if document.get("snapshot"):
        raise PlanMismatch(
            "the plan was made from a snapshot: it is to be read, not to be applied",
            hint="let `plan --out` look at the account, or apply with --approved-change",
        )
    if (document["set"], target["management_url"], target["principal"]) != (
        found.set,
        found.server,
        found.principal,
    ):
        raise PlanMismatch("the plan was made for another set, server or principal", hint=_AGAIN)
    if found.as_of > moment(document["valid_until"]):
        raise PlanMismatch(f"the plan was valid until {document['valid_until']}", hint=_AGAIN)


def _key(decided: Decision) -> str:
    return hide_tokens(json.dumps(decided))
