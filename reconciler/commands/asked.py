"""From what people wrote on the command line to what they mean: addresses, token ids, sinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.core.names import Names, Tier
from reconciler.core.plan import Plan
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Address, SinkName
from reconciler.core.tokens import TokenId, Unread
from reconciler.core.world import Requests, World
from reconciler.errors import UsageError
from reconciler.source.guess import closest


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for by name, as it was written. The fields are those of `core.world.Requests`."""

    rotate: tuple[str, ...] = ()
    rotate_reason: str = ""
    compromised: bool = False
    allow_reissue: tuple[str, ...] = ()
    allow_revoke: tuple[str, ...] = ()
    accept_registration: tuple[str, ...] = ()


NOTHING: Final = Asked()
_NAMED: Final = 9
"""So many known names are told."""


def decided(world: World, asked: Asked, say: Callable[[str], None]) -> tuple[Plan, World]:
    """The plan for this world and for what was asked, and the world that has what was asked.

    A name that nothing has (any more) is an error where the plan is held up: it may be the exception that
    was meant. Else it is said, and no more: what a run removed, the same command names when it runs again.

    Raises:
        UsageError: A name is ambiguous, or unknown where that matters.
    """
    if asked == NOTHING:
        return make_plan(world), world
    reading = _Reading(world)
    requests = Requests(
        rotate=reading.entries(asked.rotate),
        rotate_reason=asked.rotate_reason,
        compromised=asked.compromised,
        allow_reissue=reading.tokens("--allow-reissue", asked.allow_reissue),
        allow_revoke=reading.ids(asked.allow_revoke)
        | reading.tokens("--allow-revoke", asked.allow_revoke),
        accept_registration=reading.sinks(asked.accept_registration),
    )
    world = replace(world, requests=requests)
    plan = make_plan(world)
    held_up = plan.stops or any(b.why.reason is Reason.PROTECTED for b in plan.blocked)
    for unknown in reading.unknown:
        if held_up:
            raise unknown
        say(f"{unknown.message}; nothing needs this exception now")
    return plan, world


class _Reading:
    """What the words mean in one World.

    Attributes:
        unknown: An error for each exception that names nothing; whether it is raised is decided later.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = Names(world)
        self._ids: set[str] = set()
        for listing in world.live.values():
            if not isinstance(listing, Unread):
                self._ids.update(token.id for token in listing)
        self.unknown: list[UsageError] = []

    def entries(self, written: Sequence[str]) -> frozenset[Address]:
        found = set()
        for each in written:
            address = self._one(each, self._names.specs)
            if address is None:
                known = self._known(each, self._names.specs)
                raise _unknown(f"no entry is named {each!r}", each, known)
            found.add(address)
        return frozenset(found)

    def tokens(self, flag: str, written: Sequence[str]) -> frozenset[Address]:
        tiers = self._names.set, self._names.live
        found = set()
        for each in written:
            address = self._one(each, *tiers)
            if address is not None:
                found.add(address)
            elif each not in self._ids:
                what = f"{flag}: no token is named {each!r}"
                self.unknown.append(_unknown(what, each, self._known(each, *tiers)))
        return frozenset(found)

    def ids(self, written: Sequence[str]) -> frozenset[TokenId]:
        return frozenset(TokenId(each) for each in written if each in self._ids)

    def sinks(self, written: Sequence[str]) -> frozenset[SinkName]:
        for each in written:
            if each not in self._world.sinks:
                raise _unknown(f"the config has no sink {each!r}", each, [*self._world.sinks])
        return frozenset(map(SinkName, written))

    def _one(self, written: str, *tiers: Tier) -> Address | None:
        found = self._names.meant(written, *tiers)
        if len(found) > 1:
            ways = ", ".join(map(self._names.spelled, found))
            message = f"{written!r} is the name of {len(found)} tokens"
            raise UsageError(message, hint=f"write one of {ways}")
        return found[0] if found else None

    def _known(self, written: str, *tiers: Tier) -> list[str]:
        """What it may be a misspelling of."""
        if "/" not in written:
            return [name for tier in tiers for name in tier]
        addresses = {each for tier in tiers for called in tier.values() for each in called}
        return [way for each in sorted(addresses) for way in self._names.ways(each)]


def _unknown(message: str, written: str, known: Sequence[str]) -> UsageError:
    near = closest(written, known)
    if near is None:
        more = ", …" if len(known) > _NAMED else ""
        hint = f"known are {', '.join(sorted(known)[:_NAMED])}{more}" if known else ""
        return UsageError(message, hint=hint)
    return UsageError(message, hint=f"did you mean {near!r}?")
