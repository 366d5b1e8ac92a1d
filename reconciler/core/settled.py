"""What a saved plan asked for and is so by now: a run of it was cut off, or another one did it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.core.changes import Keep
from reconciler.core.decisions import Decision, asked_of_spec
from reconciler.core.plan import Plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Absent, Place, SinkName, Stored
from reconciler.core.subjects import name_of, user_of
from reconciler.core.tokens import LiveToken, TokenId, Unread
from reconciler.core.world import World


class Settled:
    """Tells which decisions (`core.decisions.decision`) are so in a world, by its own plan.

    Only what was seen to be so counts: what could not be read is not settled.

    Args:
        plan: What the world leads to now.
        since: When the decisions were made, by the server's clock.
    """

    def __init__(self, plan: Plan, world: World, since: datetime) -> None:
        self._world = world
        self._since = since
        self._kept = {
            (str(user_of(change)), name_of(change)): change
            for change in plan.changes
            if isinstance(change, Keep) and change.why.reason is Reason.IN_SYNC
        }
        read = _read(world)
        self._live = {token.id for listing in read for token in listing}
        self._users = set(map(str, world.live)) if len(read) == len(world.live) else set()

    def __contains__(self, decision: Decision) -> bool:
        action, user, name, _, refs, places, asked, doomed = decision
        kept = self._kept.get((str(user), str(name)))
        match action:
            case "create" | "renew":
                made = kept is not None and self._is_new(kept, _words(refs))
                same = kept is not None and _wanted(kept) == [places, asked]
                return made and same and self._is_gone(user, _words(doomed))
            case "amend":
                return kept is not None and [None, None, kept.spec.protect] == asked
            case "revoke":
                return self._is_gone(user, _words(refs))
            case "clean":
                return all(self._is_left(place, _words(refs)) for place in _words(places))
            case "register":
                return self._is_registered(str(name))
            case _:
                return False

    def _is_new(self, kept: Keep, refs: Sequence[str]) -> bool:
        token = kept.token
        return token is not None and token.created_at >= self._since and token.id not in refs

    def _is_gone(self, user: object, ids: Sequence[str]) -> bool:
        return not ids or (user in self._users and self._live.isdisjoint(map(TokenId, ids)))

    def _is_left(self, written: str, refs: Sequence[str]) -> bool:
        sink, _, key = written.partition(":")
        if sink not in self._world.sinks:
            return False
        found = self._world.at(Place(SinkName(sink), key))
        another = isinstance(found, Stored) and found.receipt.token.id not in refs
        return another or isinstance(found, Absent)

    def _is_registered(self, sink: str) -> bool:
        world, name = self._world, SinkName(sink)
        found = world.registration(name) if name in world.sinks else None
        return found is not None and world.is_ours(found)


def _read(world: World) -> list[tuple[LiveToken, ...]]:
    return [listing for listing in world.live.values() if not isinstance(listing, Unread)]


def _words(written: object) -> list[str]:
    return [str(each) for each in written] if isinstance(written, list) else []


def _wanted(kept: Keep) -> list[object]:
    return [sorted(map(str, kept.spec.places)), asked_of_spec(kept.spec)]
