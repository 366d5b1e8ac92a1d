"""A plan: changes in a fixed order, what could not be seen, and what the guards say. Data, no more."""

from __future__ import annotations

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
from reconciler.core.decisions import change_id_of, decision, plan_id_of
from reconciler.core.ledger import Counts, Ledger
from reconciler.core.receipts import SetName
from reconciler.core.subjects import (
    action_of,
    address_of,
    name_of,
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
        return plan_id_of(self.set, self.server, self.principal, map(decision, self.effects))

    @property
    def change_id(self) -> str:
        """Digest of what the file causes, whichever renewals fall due or are carried out meanwhile."""
        return change_id_of(self.set, self.server, self.effects)


def _position(change: Change) -> tuple[int, str, str, list[str]]:
    refs = [str(ref.id) for ref in refs_of(change)]
    return (_ORDER.index(type(change)), name_of(change), user_of(change), refs)
