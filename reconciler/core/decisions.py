"""What a plan decides, as data that digests are made of: ids of plans and of changes, and saved plans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Final

from reconciler.core.changes import Amend, Change, Create, Effect, Renew, Revoke
from reconciler.core.reasons import Cause, Reason
from reconciler.core.secret import hide_tokens
from reconciler.core.spec import TokenSpec
from reconciler.core.subjects import action_of, name_of, places_of, refs_of, user_of

_GONE: Final = (Reason.REMOVED, Reason.TOMBSTONE)

Decision = list[object]
"""What makes two effects the same decision: everything but words and dates."""


def plan_id_of(of_set: str, server: str, principal: str, decisions: Iterable[Decision]) -> str:
    """The id of a plan with these decisions, for this account."""
    return _digest([of_set, server, principal, list(decisions)])


def change_id_of(of_set: str, server: str, effects: Iterable[Effect]) -> str:
    """The id of what the file causes among these effects."""
    caused = [effect for effect in effects if _is_asked_for(effect)]
    kept = [effect for effect in caused if effect.why.reason not in _GONE]
    gone = _removals(effect for effect in caused if effect.why.reason in _GONE)
    asked = [[*cause_of(effect), places(effect), asked_of(effect)] for effect in kept]
    return _digest([of_set, server, asked, gone])


def decision(effect: Effect) -> Decision:
    """The decision of an effect."""
    refs = sorted(str(ref.id) for ref in refs_of(effect))
    doomed = [str(token.id) for token in effect.retire_now] if isinstance(effect, Renew) else []
    return [*cause_of(effect), refs, places(effect), asked_of(effect), doomed]


def cause_of(effect: Change) -> list[object]:
    """The decision without the tokens that it happens to meet."""
    return [action_of(effect), str(user_of(effect)), name_of(effect), effect.why.reason.code]


def places(effect: Effect) -> list[str]:
    """Where it writes."""
    return sorted(map(str, places_of(effect)))


def asked_of(effect: Effect) -> list[object]:
    """What the file says about the token: its lifetime, rotation and protection."""
    match effect:
        case Create() | Renew():
            return asked_of_spec(effect.spec)
        case Amend():
            return [None, None, effect.after.protect]
        case _:
            return [None, None, None]


def asked_of_spec(spec: TokenSpec) -> list[object]:
    """The same of an entry."""
    return [str(spec.lifetime), spec.rotation, spec.protect]


def _is_asked_for(effect: Effect) -> bool:
    """A new place in the file looks like a place that lost its secret: both need the yes."""
    reason = effect.why.reason
    return reason.cause is Cause.CONFIG or reason is Reason.MISSING


def _removals(effects: Iterable[Effect]) -> list[list[str]]:
    """Which entries must go. How many tokens one has by now, and where, is not what somebody said yes to;
    of a token that its name alone condemns they said yes to that one.
    """
    found = set()
    for effect in effects:
        named = [str(effect.token.id)] if isinstance(effect, Revoke) and effect.by_name else []
        found.add((str(user_of(effect)), name_of(effect), effect.why.reason.code, *named))
    return sorted(map(list, found))


def _digest(value: object) -> str:
    """Of what a saved plan can say: somebody may have given a token a secret for a name."""
    text = hide_tokens(json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
