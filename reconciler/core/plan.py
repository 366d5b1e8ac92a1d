"""A plan: changes in a fixed order, what could not be seen, and what the guards say. Data, no more."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from reconciler.core.changes import (
    Amend,
    Blocked,
    Change,
    Clean,
    Create,
    Effect,
    Keep,
    Register,
    Renew,
    Revoke,
    Unmanaged,
    Wait,
)
from reconciler.core.ledger import Counts, Ledger
from reconciler.core.reasons import Cause, Reason
from reconciler.core.receipts import SetName
from reconciler.core.secret import hide_tokens
from reconciler.core.subjects import (
    action_of,
    address_of,
    name_of,
    places_of,
    refs_of,
    token_of,
    user_of,
)
from reconciler.core.tokens import UserId

_ORDER: Final = (Register, Create, Renew, Amend, Revoke, Clean, Blocked, Wait, Unmanaged, Keep)
EFFECTS: Final = (Register, Create, Renew, Amend, Revoke, Clean)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be read."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard's verdict. `stop` holds up the whole plan until a human names the exception."""

    id: str
    stop: bool
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look at the world leads to.

    Attributes:
        as_of: Server time of the look.
        users: Display names of the users that the plan speaks of.
        gaps: Not empty: the view is incomplete, and what depends on the gaps is left alone.
        is_past: Made from a snapshot: it can be read, and not be applied.
        shared: Names that tokens of several users have, in the whole that this may be a part of.
    """

    set: SetName
    server: str
    principal: UserId
    as_of: datetime
    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...]
    guards: tuple[Guard, ...]
    counts: Counts
    users: Mapping[UserId, str]
    is_past: bool = False
    shared: frozenset[str] = frozenset()

    @classmethod
    def of(cls, ledger: Ledger, changes: Iterable[Change], gaps: tuple[Gap, ...]) -> Plan:
        world = ledger.world
        ordered = tuple(sorted(changes, key=_position))
        named = {user_of(change) for change in ordered} | {world.principal}
        named |= {token.created_by for change in ordered if (token := token_of(change))}
        users = {u: world.users[u].name or u for u in sorted(named) if u in world.users}
        seen = Counter(address.name for address in set(map(address_of, ordered)))
        return cls(
            set=world.wanted.name,
            server=world.server,
            principal=world.principal,
            as_of=world.now,
            changes=ordered,
            gaps=gaps,
            guards=(),
            counts=ledger.counts(),
            users=users,
            is_past=world.is_past,
            shared=frozenset(name for name, users in seen.items() if users > 1),
        )

    def judged(self, guards: tuple[Guard, ...]) -> Plan:
        return replace(self, guards=guards)

    def only(self, changes: Iterable[Change]) -> Plan:
        """The same plan with fewer changes; guards have judged the whole."""
        kept = set(map(id, changes))
        return replace(self, changes=tuple(c for c in self.changes if id(c) in kept))

    def shared_with_the_rest(self) -> list[str]:
        """Names in this part that tokens of other users have in what was left out."""
        here = Counter(address.name for address in set(map(address_of, self.changes)))
        return sorted(name for name in self.shared & here.keys() if here[name] == 1)

    @property
    def complete(self) -> bool:
        return not self.gaps

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(change for change in self.changes if isinstance(change, EFFECTS))

    @property
    def blocked(self) -> tuple[Blocked, ...]:
        return tuple(change for change in self.changes if isinstance(change, Blocked))

    @property
    def stops(self) -> tuple[Guard, ...]:
        return tuple(guard for guard in self.guards if guard.stop)

    def summary(self) -> dict[str, int]:
        """Counts by action, every action named, in plan order."""
        seen = Counter(action_of(change) for change in self.changes)
        return {action: seen[action] for action in (kind.__name__.lower() for kind in _ORDER)}

    @property
    def plan_id(self) -> str:
        """Digest of every decision in this plan, and of whom it is for."""
        decisions = [decision(effect) for effect in self.effects]
        return digest_of(self.set, self.server, self.principal, decisions)

    @property
    def change_id(self) -> str:
        """Digest of what the file causes: a renewal that falls due does not change it."""
        asked = [[*cause_of(e), places(e), asked_of(e)] for e in self.effects if _is_asked_for(e)]
        return _digest([self.set, self.server, asked])


def digest_of(set_name: str, server: str, principal: str, decisions: list[list[object]]) -> str:
    """The plan id of these decisions for this account."""
    return _digest([set_name, server, principal, decisions])


def decision(effect: Effect) -> list[object]:
    """What makes two effects the same decision: everything but words and dates."""
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
            spec = effect.spec
            return [str(spec.lifetime), spec.rotation, spec.protect]
        case Amend():
            return [None, None, effect.after.protect]
        case _:
            return [None, None, None]


def _is_asked_for(effect: Effect) -> bool:
    """A new place in the file looks like a place that lost its secret: both need the yes."""
    reason = effect.why.reason
    return reason.cause is Cause.CONFIG or reason is Reason.MISSING


def _digest(value: object) -> str:
    """Of what a saved plan can say: somebody may have given a token a secret for a name."""
    text = hide_tokens(json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _position(change: Change) -> tuple[int, str, str, list[str]]:
    refs = [str(ref.id) for ref in refs_of(change)]
    return (_ORDER.index(type(change)), name_of(change), user_of(change), refs)
