"""Random histories: people edit the file, runs die after any single step, time passes. Two promises:
no place of an entry ever holds the secret of a token that we revoked; and clean runs settle it all.

The world here is the smallest that can be written to: what the engine does, step by step, in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

import pytest
from worlds import BOT, NOW, SERVER, SET, US, spec

from reconciler.core.changes import (
    Amend,
    Blocked,
    Clean,
    Create,
    Effect,
    Keep,
    Register,
    Renew,
    Revoke,
    Wait,
)
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import (
    ABSENT,
    Damaged,
    Inventory,
    Place,
    Receipt,
    Registration,
    SinkName,
    Stored,
    TokenRef,
    Version,
)
from reconciler.core.spec import ExpiresIn, Retire, TokenSet, TokenSpec, UnmanagedPolicy
from reconciler.core.tokens import LiveToken, TokenId, UserId
from reconciler.core.world import World

USERS = (BOT, UserId("bot2"))
SINKS = (SinkName("local"), SinkName("vault"))
NAMES = ("a", "b", "c")
DAY = timedelta(days=1)
ADMIN = UserId("admin")


class Died(Exception):
    """The process was killed."""


@dataclass
class Held:
    """What a place really holds: the receipt, and whose secret the value is."""

    receipt: Receipt | None = None
    value: TokenId | None = None


@dataclass
class Story:
    chance: Random
    now: object = NOW
    specs: dict[str, TokenSpec] = field(default_factory=dict)
    live: dict[TokenId, LiveToken] = field(default_factory=dict)
    places: dict[Place, Held] = field(default_factory=dict)
    minted: int = 0
    steps_left: int = 10**9
    told: list[str] = field(default_factory=list)

    # What the planner sees

    def world(self) -> World:
        entries: dict[SinkName, dict[str, Stored | Damaged]] = {sink: {} for sink in SINKS}
        for place, held in self.places.items():
            if held.receipt or held.value:
                entries[place.sink][place.key] = _lookup(held)
        known = {SET: Registration(SET, SERVER, US, NOW - 300 * DAY)}
        listing = {u: tuple(t for t in self.live.values() if t.user == u) for u in (*USERS, US)}
        return World(
            wanted=TokenSet(SET, tuple(self.specs.values()), unmanaged=UnmanagedPolicy()),
            server=SERVER,
            principal=US,
            now=self.now,
            users={},
            live=listing,
            sinks={sink: Inventory(entries[sink], known) for sink in SINKS},
        )

    # What a run does

    def run(self) -> None:
        plan = make_plan(self.world())
        for kinds in ((Register,), (Create, Renew, Amend), (Revoke, Clean)):
            phase = [effect for effect in plan.effects if isinstance(effect, kinds)]
            for effect in self.chance.sample(phase, len(phase)):
                self.told.append(f"{type(effect).__name__} {getattr(effect, 'name', '')}{effect.why}")
                self.carry_out(effect)

    def carry_out(self, effect: Effect) -> None:
        match effect:
            case Create() | Renew():
                self.mint(effect)
            case Amend():
                for target in effect.targets:
                    self.step()
                    self.places[target.place].receipt = effect.after
            case Revoke():
                self.revoke(effect)
            case Clean():
                self.delete(effect.place, effect.token.id)

    def mint(self, effect: Create | Renew) -> None:
        if self.chance.random() < 0.1:
            return  # a preflight failed
        for target in effect.targets:
            found = self.places.setdefault(target.place, Held())
            if _version(found) != target.version:
                return  # the place was written since we looked
        self.step()
        self.minted += 1
        made = LiveToken(
            TokenId(f"t{self.minted}"), effect.spec.user, effect.spec.live_name, US,
            self.now, self.now + effect.days * DAY,
        )  # fmt: skip
        self.live[made.id] = made
        receipt = Receipt(
            TokenRef(made.user, made.id), SET, effect.spec.name, made.created_at, made.expires_at,
            "f" * 16, effect.spec.rotation, effect.spec.protect, effect.predecessors,
        )  # fmt: skip
        for target in effect.targets:
            held = self.places[target.place]
            self.step()
            held.receipt = receipt
            if target.place.sink == "local":
                self.step()  # two files
            held.value = made.id

    def revoke(self, effect: Revoke) -> None:
        self.step()
        token = effect.token
        readers = [p for s in self.specs.values() for p in s.places if self.value(p) == token.id]
        assert readers == [], f"{token.id} was revoked, {effect.why}, but is in {readers}"
        self.live.pop(token.id, None)
        for place in effect.cleanup:
            self.delete(place, token.id)

    def delete(self, place: Place, token: TokenId) -> None:
        held = self.places[place]
        if held.receipt and held.receipt.token.id == token:
            if held.value == token:
                self.step()
                held.value = None
            self.step()
            held.receipt = None

    def step(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise Died

    def value(self, place: Place) -> TokenId | None:
        return self.places.get(place, Held()).value

    # What others do

    def pass_time(self, by: timedelta) -> None:
        """Everybody who reads a place of an entry uses what is there."""
        self.now += by
        for entry in self.specs.values():
            for place in entry.places:
                value = self.value(place)
                if value in self.live and self.chance.random() < 0.5:
                    self.live[value] = replace(self.live[value], last_used=self.now)

    def edit(self) -> None:  # noqa: C901 - a choice of nine edits
        name = self.chance.choice(NAMES)
        entry = self.specs.get(name)
        self.told.append(f"edit {name}")
        if entry is None:
            self.specs[name] = self.entry(name)
        elif (what := self.chance.randrange(9)) == 0:
            del self.specs[name]
        elif what == 1:
            self.specs[name] = replace(entry, rotation=entry.rotation + 1)
        elif what == 2:
            self.specs[name] = replace(entry, lifetime=ExpiresIn(self.chance.choice((30, 90))))
        elif what == 3:
            self.specs[name] = replace(self.let_go(entry), user=self.chance.choice(USERS))
        elif what == 4:
            self.specs[name] = replace(entry, places=self.some_places(name))
        elif what == 5:
            self.swap(name)
        elif what == 6:
            self.rename(name)
        elif what == 7:
            self.specs[name] = replace(entry, protect=not entry.protect)
        else:
            self.specs[name] = replace(entry, retire=self.chance.choice(list(Retire)[:2]))

    def entry(self, name: str) -> TokenSpec:
        places = self.some_places(name)
        user = self.chance.choice(USERS)
        adopt: TokenId | bool = False
        if self.chance.random() < 0.3:
            self.minted += 1
            made = LiveToken(
                TokenId(f"h{self.minted}"), user, name, ADMIN, self.now - 60 * DAY,
                self.now + 30 * DAY, self.now - DAY,
            )  # fmt: skip
            self.live[made.id] = made
            adopt = self.chance.choice((True, made.id))
            for place in places:
                held = self.places.setdefault(place, Held())
                if held.receipt is None and self.chance.random() < 0.5:
                    held.value = made.id
        return spec(name, user=user, places=places, adopt=adopt)

    def some_places(self, name: str) -> tuple[Place, ...]:
        taken = {p for n, s in self.specs.items() if n != name for p in s.places}
        free = [Place(sink, key) for sink in SINKS for key in "abcd"]
        free = [p for p in free if p not in taken and not self.is_foreign(p)]
        return tuple(self.chance.sample(free, min(len(free), self.chance.choice((1, 1, 2)))))

    def let_go(self, entry: TokenSpec) -> TokenSpec:
        """No more adoption: the hand-made value is removed by the hand that made it."""
        for place in entry.places:
            if self.is_foreign(place):
                del self.places[place]
        return replace(entry, adopt=False)

    def is_foreign(self, place: Place) -> bool:
        found = self.places.get(place, Held())
        return found.receipt is None and found.value is not None

    def swap(self, name: str) -> None:
        other = self.chance.choice(NAMES)
        if other in self.specs:
            a, b = self.let_go(self.specs[name]), self.let_go(self.specs[other])
            self.specs[name] = replace(a, places=b.places)
            self.specs[other] = replace(b, places=a.places)

    def rename(self, name: str) -> None:
        other = self.chance.choice(NAMES)
        if other not in self.specs:
            entry = self.let_go(self.specs.pop(name))
            self.specs[other] = replace(entry, name=other, live_name=other, previously=(name,))
        for each in list(self.specs):  # an earlier name must not be an entry's
            kept = tuple(n for n in self.specs[each].previously if n not in self.specs)
            self.specs[each] = replace(self.specs[each], previously=kept)

    # How it has to end

    def unsettled(self) -> Iterator[str]:
        plan = make_plan(self.world())
        adopted = {
            change.spec.name: change.token
            for change in plan.changes
            if isinstance(change, Keep) and change.why.reason is Reason.ADOPTED
        }
        wanted = {token.id for token in adopted.values() if token}
        for entry in self.specs.values():
            held = [self.places.get(place, Held()) for place in entry.places]
            tokens = {each.value for each in held} | {
                each.receipt.token.id if each.receipt else None for each in held
            }
            wanted |= tokens
            if entry.name in adopted:
                continue
            if len(tokens) != 1 or tokens - set(self.live):
                yield f"{entry.name} {held}"
        receipts = [held.receipt for held in self.places.values() if held.receipt]
        named = {ref.id for receipt in receipts for ref in receipt.named}
        names = {(entry.user, entry.name) for entry in self.specs.values()}
        explained = {
            change.token.id
            for change in plan.changes
            if isinstance(change, Wait | Blocked) and change.token
            if change.why.reason in (Reason.YOUNG, Reason.OVERLAP, Reason.IN_USE, Reason.PROTECTED)
        }
        for token in self.live.values():
            nobodys = (token.user, token.name) not in names or token.created_by != US
            lost = token.id in named or not nobodys
            if lost and token.id not in wanted | explained:
                yield f"left: {token}"


def _lookup(held: Held) -> Stored | Damaged:
    if held.receipt is not None and held.receipt.token.id == held.value:
        return Stored(held.receipt, _version(held))
    return Damaged(held.receipt, _version(held), "does not fit")


def _version(held: Held) -> Version:
    if held.receipt is None and held.value is None:
        return ABSENT
    return Version(f"{held.receipt}{held.value}")


def tell(seed: int) -> Story:
    story = Story(Random(seed))  # noqa: S311 - a story, no secret
    for _ in range(story.chance.randrange(2, 12)):
        for _ in range(story.chance.randrange(3)):
            story.edit()
        story.steps_left = story.chance.choice((10**9, *range(12)))
        try:
            story.run()
        except Died:
            story.told.append("died")
        story.pass_time(story.chance.choice((timedelta(minutes=1), timedelta(hours=1), DAY, 9 * DAY)))
    return story


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_whatever_happens_nothing_is_lost_and_all_is_settled(first: int) -> None:
    for seed in range(first, first + 100):
        story = tell(seed)
        story.steps_left = 10**9
        for _ in range(30):
            story.run()
            story.pass_time(DAY)
        story.run()
        assert list(story.unsettled()) == [], (seed, story.told)
