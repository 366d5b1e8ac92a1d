"""One history: a world that goes on, whoever acts in it. Every step of ours is judged from outside.

Nothing here decides what a run does: gather, make_plan, the guards and the engine are the product's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from boundary import BOT2, MemorySink, Service, lookup_of
from edits import USERS, File
from faults import WRITES, faults
from memory import START, Cell, Memory, Op, Store, bury, perform, secret_of
from runs import deploy
from witness import Witness
from worlds import BOT, SERVER, US

from reconciler.commands import everyday
from reconciler.core.changes import Create, Keep, Renew
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Address, Place, Receipt, SetName, SinkName, Stored
from reconciler.core.secret import Secret
from reconciler.core.spec import ExpiresIn
from reconciler.core.subjects import address_of
from reconciler.core.tokens import DAY, LiveToken, TokenId, UserId
from reconciler.core.world import Requests, World
from reconciler.engine import Engine
from reconciler.errors import Forbidden, NetbirdTokensError, Unauthenticated, Unavailable
from reconciler.gather import Sources, gather
from reconciler.transaction import Ports

OTHER = SetName("other")
ADMIN = UserId("admin")
NAP = timedelta(minutes=20)
BOOT = LiveToken(TokenId("boot"), US, "bootstrap", ADMIN, START, START + 9999 * DAY, START)
"""The credential that a person made for the pipeline."""


COMMANDS = ("renew", *["rotate"] * 2, *["compromised"] * 3, "removes", "reissues")
TROUBLES = ("dies", "fails", "is overtaken", "sleeps")


class Died(BaseException):
    """The process was killed. Not an Exception: the product must not handle it."""


@dataclass(frozen=True)
class Trouble:
    """What befalls one call of a run.

    Attributes:
        at: Which call, counted from the first of the look, or from the first of the acting.
        what: `dies`, before the call or after it; `fails`, in one of the ways there are for this call;
            `sleeps`; `is overtaken` by a whole run that begins and ends here.
    """

    what: str
    acting: bool
    at: int
    way: int = 0


@dataclass(frozen=True)
class Command:
    """What is run, and what it names: `apply`, `renew`, `rotate`, `compromised` (a rotation), or an `apply`
    with an exception, `removes` or `reissues`.
    """

    what: str
    name: str = ""

    def requests(self, story: Story) -> Requests:
        entry = story.file.entries.get(self.name)
        wanted = frozenset({entry.address} if entry else ())
        match self.what:
            case "rotate" | "compromised":
                return Requests(rotate=wanted, compromised=self.what == "compromised")
            case "removes":
                known = {r.address for _, r in story.receipts() if r.name == self.name}
                return Requests(allow_revoke=wanted | known | {Address(u, self.name) for u in USERS})
            case "reissues":
                return Requests(allow_reissue=wanted)
            case _:
                return Requests()

    def part(self, whole: Plan, requests: Requests) -> Plan:
        """What of the plan it carries out."""
        match self.what:
            case "rotate" | "compromised":
                return everyday._part(whole, lambda change: address_of(change) in requests.rotate)
            case "renew":
                due = everyday._DUE
                return everyday._part(whole.only(whole.effects), lambda change: change.why.reason in due)
            case _:
                return whole


class Run:
    """One process between its first call and its last: answers its calls, and lets trouble happen."""

    def __init__(
        self, story: Story, number: int, troubles: tuple[Trouble, ...] = (), command: Command | None = None
    ) -> None:
        self.story = story
        self.number = number
        self.command = command or Command("apply")
        self.requests = self.command.requests(story)
        self.credential = story.credential()
        self.minted: set[TokenId] = set()
        self.unread: set[UserId | SinkName | Place] = set()
        self.disturbed = False
        self._dead = False
        self._acting = False
        self._count = 0
        self._troubles = {(t.acting, t.at): t for t in troubles}

    def acts(self) -> None:
        self._acting, self._count = True, 0

    def __call__(self, op: Op) -> Any:
        if self._dead:
            raise Died
        trouble = self._troubles.get((self._acting, self._count))
        self._count += 1
        if trouble is not None:
            self.disturbed = True
            if (befallen := self._befall(op, trouble)) is not None:
                return befallen
        return self._do(op)

    def _do(self, op: Op) -> Any:
        self._admit(op)
        memory, answer = perform(op, self.story.memory, self.number)
        self._becomes(op, memory)
        if op.what == "create":
            self.minted.add(answer.id)
        return answer

    def _becomes(self, op: Op, memory: Memory) -> None:
        before, self.story.memory = self.story.memory, memory
        if op.writes:
            self.story.witness.judge(op, before, memory, self.story.file, self)

    def _admit(self, op: Op) -> None:
        """The server's own judgement of our credential."""
        if op.what not in ("users", "tokens", "token", "create", "revoke"):
            return
        if not self.story.memory.works(self.credential):
            raise Unauthenticated("token invalid")
        if op.what == "users":
            self.story.use(self.credential)
        elif self.story.owner(op) in self.story.denied:
            self._misses(op)
            raise Forbidden("injected")

    def _befall(self, op: Op, trouble: Trouble) -> Any:
        match trouble.what:
            case "dies":
                if trouble.way % 2:
                    self._do(op)
                self._dead = True
                self.story.memory = bury(self.story.memory, self.number)
                raise Died
            case "sleeps" if op.what not in WRITES:
                self.story.memory = replace(self.story.memory, now=self.story.memory.now + NAP)
            case "is overtaken" if not self.story.is_locked():
                died = (Trouble("dies", acting=True, at=trouble.way // 2, way=1),)
                self.story.run(died if trouble.way % 2 else ())
            case "fails":
                return self._fail(op, trouble.way)
        return None

    def _fail(self, op: Op, way: int) -> Any:
        self._admit(op)
        before = self.story.memory
        after, answer = perform(op, before, self.number)
        if op.what == "inventory" and way % 3 and answer.cells:
            key = answer.cells[way % len(answer.cells)][0]
            self.unread.add(Place(op.args[0], key))
            return replace(answer, hidden=frozenset({key}))
        if op.what == "users":
            raise Unavailable("injected")
        ways = [(memory, error) for _, memory, error in faults(op, before, after, self.number) if error]
        if not ways:
            return None
        memory, error = ways[way % len(ways)]
        self._becomes(op, memory)
        if op.what == "create" and memory is after:
            self.minted.add(answer.id)
        self._misses(op)
        raise error("injected")

    def _misses(self, op: Op) -> None:
        if op.what in ("tokens", "inventory"):
            self.unread.add(op.args[0])


class Api(Service):
    """The service as one run speaks to it."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, two_steps=False)
        self._run = run

    def switch(self, secret: Secret) -> None:
        self._run(Op("clock"))
        token = self._run.story.known_by(secret)
        if not self._run.story.memory.works(token):
            raise Unauthenticated("token invalid")
        self._run.credential = token
        self._run.story.use(token)


@dataclass
class Story:
    """Everything there is, and what may be said about it.

    Attributes:
        denied: Users whose tokens our role does not reach.
        pipeline: The place where our pipeline finds its credential; None: the bootstrap one.
        deploys: Whether the config has a deploy hook.
        crowded: Whether each user has a token that is nobody's business, from the first day on.
    """

    kinds: tuple[tuple[SinkName, str], ...]
    file: File
    deploys: bool = False
    crowded: bool = True
    memory: Memory = field(init=False)
    witness: Witness = field(default_factory=Witness)
    denied: set[UserId] = field(default_factory=set)
    pipeline: Place | None = None
    runs: int = 0
    people: int = 0

    def __post_init__(self) -> None:
        stores = tuple((name, Store(kind)) for name, kind in self.kinds)
        self.memory = Memory(stores, (BOOT,), deployed=frozenset() if self.deploys else None)
        for user in (BOT, BOT2) if self.crowded else ():
            self.make(user, "else", ADMIN)

    # What runs do

    def run(self, troubles: tuple[Trouble, ...] = (), command: Command | None = None) -> Plan | None:
        """The product's own run, and what must be true of it as a whole."""
        self.runs += 1
        self.witness.reads(self.file, self.memory)
        self.pass_time(timedelta(seconds=3))
        run = Run(self, self.runs, troubles, command)
        try:
            return self._run(run)
        except Died:
            return None

    def _run(self, run: Run) -> Plan | None:
        api = Api(run)
        sinks = {name: MemorySink(run, name, kind) for name, kind in self.kinds}
        try:
            world = gather(self.file.wanted(), Sources(api, sinks, SERVER))
        except NetbirdTokensError:
            assert run.disturbed, "a run could not even look"
            return None
        plan = planned(replace(world, requests=run.requests))
        self.witness.hears(plan, self.file, run.unread)
        if plan.stops:
            return plan
        plan = run.command.part(plan, run.requests)
        run.acts()
        clock: Callable[[], float] = lambda: run(Op("clock"))  # noqa: E731
        settle: Callable[[float], None] = lambda _: run(Op("settle", ("",)))  # noqa: E731
        ports = Ports(api, sinks, None, clock, settle, self.deploys)
        outcome = Engine(ports, concurrency=1).apply(plan.effects)
        if self.deploys:
            deploy(world, outcome, ports, run)
        if not run.disturbed and plan.complete:
            self._serves(plan, outcome)
        return plan

    def _serves(self, plan: Plan, outcome: Outcome) -> None:
        """After a run that nothing disturbed, every entry has what it asks for, or the plan says why not."""
        failed = {id(r.effect) for r in outcome.results if r.status is not Status.DONE}
        for change in plan.changes:
            if not isinstance(change, Create | Renew | Keep) or id(change) in failed:
                continue
            if isinstance(change, Keep) and change.why.reason in (Reason.ADOPTED, Reason.ENDED):
                continue
            tokens = {self.token_at(place) for place in change.spec.places}
            assert len(tokens) == 1, f"{change.spec.name} has {tokens}"
            (token,) = (t for t in self.memory.listed if t.id in tokens)
            life, left = token.expires_at - token.created_at, token.expires_at - self.memory.now
            grows = isinstance(change.spec.lifetime, ExpiresIn) and change.spec.renew
            assert left >= (life / 3 if grows else timedelta()), f"{change.spec.name} has {token}"

    def look(self) -> Plan:
        """A plan and no more."""
        run = Run(self, 0)
        sinks = {name: MemorySink(run, name, kind) for name, kind in self.kinds}
        return planned(gather(self.file.wanted(), Sources(Api(run), sinks, SERVER)))

    def credential(self) -> TokenId:
        token = self.value(self.pipeline) if self.pipeline else None
        ours = any(t.id == token and t.user == US for t in self.memory.listed)
        return token if token and ours and self.memory.works(token) else BOOT.id

    def known_by(self, secret: Secret) -> TokenId:
        mark = secret.fingerprint()
        found = (t.id for t in self.memory.listed if secret_of(t.id).fingerprint() == mark)
        return next(found, TokenId(""))

    # What is where

    def cell(self, place: Place) -> Cell:
        return self.memory.store(place.sink).at(place.key)

    def value(self, place: Place) -> TokenId | None:
        return self.cell(place).value

    def token_at(self, place: Place) -> TokenId:
        """What a receipt at this place vouches for; empty if none does."""
        store = self.memory.store(place.sink)
        lookup = lookup_of(store.kind, store.at(place.key))
        return lookup.receipt.token.id if isinstance(lookup, Stored) else TokenId("")

    def receipts(self) -> Iterator[tuple[Place, Receipt]]:
        for sink, store in self.memory.stores:
            for key, cell in store.cells:
                if cell.receipt is not None:
                    yield Place(sink, key), cell.receipt

    def is_locked(self) -> bool:
        return any(cell.writer for _, store in self.memory.stores for _, cell in store.cells)

    def owner(self, op: Op) -> UserId | None:
        """Whose tokens a call is about."""
        match op.what:
            case "create":
                return op.args[0][0]
            case "revoke":
                return next((t.user for t in self.memory.listed if t.id == op.args[0]), None)
            case _:
                return op.args[0]

    # What others do

    def pass_time(self, by: timedelta) -> None:
        self.memory = replace(self.memory, now=self.memory.now + by)

    def use(self, token: TokenId | None) -> None:
        now = self.memory.now
        listed = tuple(
            replace(t, last_used=now) if t.id == token and t.works(now) else t
            for t in self.memory.listed
        )
        self.memory = replace(self.memory, listed=listed)

    def make(self, user: UserId, name: str, by: UserId) -> LiveToken:
        self.people += 1
        now = self.memory.now
        made = LiveToken(TokenId(f"h{self.people}"), user, name, by, now, now + 60 * DAY)
        self.memory = replace(self.memory, listed=(*self.memory.listed, made))
        return made

    def drop(self, token: TokenId) -> None:
        rest = tuple(t for t in self.memory.listed if t.id != token)
        self.memory = replace(self.memory, listed=rest)

    def place(self, place: Place, cell: Cell) -> None:
        """Somebody else writes to a sink, at a moment of his own."""
        self.pass_time(timedelta(seconds=1))
        store = self.memory.store(place.sink)
        fits = cell.receipt is not None and cell.receipt.token.id == cell.value
        stamped = replace(
            cell, version=store.at(place.key).version + 1, stamp=self.memory.now,
            noted=self.memory.now if fits else None,
        )  # fmt: skip
        self.memory = self.memory.with_store(place.sink, store.holding(place.key, stamped))


def planned(world: World) -> Plan:
    plan = make_plan(world)
    assert plan == make_plan(world), "two plans of one world"
    return plan
