"""Who may have moved the world: what the audit log says under the same name, and never more than it proves.

An event names a token's owner and its name, never its id (netbird-api.md §1.3). So it is told as what
it is: the last deletion under this name, or a creation under this name at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from reconciler.core.changes import Change, Create
from reconciler.core.reasons import Reason
from reconciler.core.subjects import token_of, user_of
from reconciler.core.tokens import UserId

_MOMENT: Final = timedelta(minutes=1)
"""So far apart the server may write a token and the event of it."""


class Act(StrEnum):
    """What was done."""

    CREATED = "created"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Deed:
    """One event of the audit log about a token.

    Attributes:
        owner: Whose token it was.
        by: Who did it, as people know them; the id where the log has no more.
        at: UTC.
    """

    act: Act
    owner: UserId
    token_name: str
    by: str
    by_id: UserId
    at: datetime


def deed_behind(change: Change, deeds: Sequence[Deed]) -> Deed | None:
    """The newest event that fits what differs; None where the log tells of nothing of the kind.

    A deletion explains only a secret whose token is gone before its time, and only where no token of this
    name was made after it.
    """
    live = token_of(change)
    if live is not None:
        named = _named(live.user, live.name, deeds)
        fitting = [d for d in named if d.act is Act.CREATED and _at_once(d.at, live.created_at)]
        return fitting[-1] if fitting else None
    if isinstance(change, Create) and change.why.reason is Reason.STALE:
        named = _named(user_of(change), change.spec.live_name, deeds)
        return named[-1] if named and named[-1].act is Act.DELETED else None
    return None


def _named(user: UserId, name: str, deeds: Sequence[Deed]) -> list[Deed]:
    """In order of time."""
    named = (deed for deed in deeds if (deed.owner, deed.token_name) == (user, name))
    return sorted(named, key=lambda deed: deed.at)


def _at_once(one: datetime, other: datetime) -> bool:
    return abs(one - other) <= _MOMENT
