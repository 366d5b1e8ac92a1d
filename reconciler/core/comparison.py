"""What a change to the file brings about, apart from what is due anyway: two plans of one look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.changes import Change, Effect
from reconciler.core.decisions import cause_of, decision
from reconciler.core.plan import EFFECTS, Plan
from reconciler.core.subjects import refs_of


class Lack(StrEnum):
    """Why nothing could be planned without the change: of these only the first makes the set a new one."""

    ABSENT = "absent"
    INVALID = "invalid"
    OTHER_SET = "other-set"


@dataclass(frozen=True, slots=True)
class Lacking:
    """That the base has no set to compare with, and why, in words."""

    lack: Lack
    text: str


@dataclass(frozen=True, slots=True)
class Base:
    """What a plan is compared with.

    Attributes:
        ref: The commit without the change, as it was written.
        commit: Its full id.
        plan: What would be done without the change; of what it lacks all counts as caused by the change.
    """

    ref: str
    commit: str
    plan: Plan | Lacking


@dataclass(frozen=True, slots=True)
class Split:
    """A plan beside its base.

    Attributes:
        caused: Ids of the changes, as Python's `id` has them, that the base would not bring about.
        averted: What the base would do, and this plan does not.
    """

    caused: frozenset[int]
    averted: tuple[Effect, ...]


def split(plan: Plan, base: Base) -> Split:
    """Compare by what is decided, not by its words and dates."""
    earlier = base.plan if isinstance(base.plan, Plan) else None
    before = earlier.changes if earlier else ()
    known, kept = set(map(_key, before)), set(map(_key, plan.changes))
    caused = frozenset(id(change) for change in plan.changes if _key(change) not in known)
    effects = earlier.effects if earlier else ()
    return Split(caused, tuple(each for each in effects if _key(each) not in kept))


def _key(change: Change) -> str:
    if isinstance(change, EFFECTS):
        return json.dumps(decision(change))
    return json.dumps([*cause_of(change), *sorted(str(ref.id) for ref in refs_of(change))])
