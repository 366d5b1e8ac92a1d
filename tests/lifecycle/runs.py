"""A run of the product, stopped at every call and taken up again.

The product is deterministic: what it does next follows from the answers that it got. So a run is its
history of calls and answers, a branch of a tree; to learn its next calls, the whole run is played once
more with the recorded answers until it asks for one that is not there. Each branch is played once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from threading import Lock
from typing import Any

from boundary import MemorySink, Service, Wire
from memory import Memory, Op, bury, perform
from worlds import SERVER

from reconciler.commands import hooks
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output
from reconciler.commands.record import Record
from reconciler.core.changes import Clean, Effect, Revoke
from reconciler.core.outcome import Outcome
from reconciler.core.planner import make_plan
from reconciler.core.receipts import SinkName
from reconciler.core.spec import TokenSet
from reconciler.core.world import Requests, World
from reconciler.engine import Engine
from reconciler.errors import NetbirdTokensError
from reconciler.gather import Sources, gather
from reconciler.source.config import Hooks
from reconciler.transaction import Ports

DEPLOY = Hooks(deploy=(("deploy",),))


@dataclass(frozen=True)
class Program:
    """One command line: what it wants, and which effects of the plan it carries out.

    Attributes:
        two_steps: Whether the server stamps a token before it shows it.
        sleeps: Whether the machine may sleep, so that looking at the clock is a call like others.
        deploys: Whether the config has a deploy hook.
        requests: What the command line asks for by name.
    """

    wanted: TokenSet
    kinds: tuple[tuple[SinkName, str], ...]
    prunes: bool = False
    two_steps: bool = False
    sleeps: bool = False
    deploys: bool = False
    requests: Requests = field(default_factory=Requests)

    def run(self, wire: Wire, stopped: Callable[[], bool] = lambda: False) -> None:
        """What the product does between its first call and its last."""
        service = _Traced(wire, two_steps=self.two_steps)
        sinks = {name: MemorySink(wire, name, kind) for name, kind in self.kinds}
        try:
            world = gather(self.wanted, Sources(service, sinks, SERVER))
        except NetbirdTokensError:
            return
        plan = make_plan(replace(world, requests=self.requests))
        if plan.stops:
            return
        clock: Callable[[], float] = lambda: wire(Op("clock")) if self.sleeps else 0.0  # noqa: E731
        settle = lambda _: wire(Op("settle", (service.last,)))  # noqa: E731
        ports = Ports(service, sinks, None, clock, settle, self.deploys)
        engine = Engine(ports, stopped=stopped, concurrency=1)
        outcome = engine.apply(self._chosen(plan.effects))
        if self.deploys:
            deploy(world, outcome, ports, wire)

    def _chosen(self, effects: Sequence[Effect]) -> list[Effect]:
        return [e for e in effects if not self.prunes or isinstance(e, Revoke | Clean)]


def deploy(world: World, outcome: Outcome, ports: Ports, wire: Wire) -> None:
    """What the product does after the engine where the config has a deploy hook."""

    def succeeds(*_: object) -> bool:
        try:
            done: bool = wire(Op("hook", (), "hook"))
        except NetbirdTokensError:
            return False
        return done

    calls = replace(hooks.left_for(DEPLOY, world, hooks.everybody), succeeds=succeeds)
    record = Record("apply", Desk(StringIO(), StringIO(), False, bool), Output())
    hooks.deploy(calls, outcome, ports, record)


class _Traced(Service):
    """Remembers what it minted last: the election waits for that."""

    last: str = ""

    def create(self, user: Any, live_name: str, days: int) -> Any:
        minted = super().create(user, live_name, days)
        self.last = minted.token.id
        return minted


@dataclass(frozen=True, slots=True)
class Fails:
    """An answer that is no answer."""

    error: type[NetbirdTokensError]


class Suspended(BaseException):
    """A call that nobody has answered yet. Not an Exception: the product must not handle it."""


@dataclass
class Branch:
    """A run up to some point; `pending` are the calls that it makes next, none when it has ended."""

    pending: tuple[Op, ...]
    history: tuple[tuple[Op, Any], ...]
    children: dict[tuple[Op, Any], Branch] = field(default_factory=dict)
    number: int = 0


class Tree:
    """All branches of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.size = 0
        self.root = self._grown(())

    def after(self, branch: Branch, op: Op, answer: Any) -> Branch:
        known = branch.children.get((op, answer))
        if known is None:
            known = self._grown((*branch.history, (op, answer)))
            branch.children[op, answer] = known
        return known

    def _grown(self, history: tuple[tuple[Op, Any], ...]) -> Branch:
        self.size += 1
        return Branch(_next_calls(self.program, history), history, number=self.size)


def _next_calls(program: Program, history: Sequence[tuple[Op, Any]]) -> tuple[Op, ...]:
    answers: dict[Op, deque[Any]] = {}
    for op, answer in history:
        answers.setdefault(op, deque()).append(answer)
    pending: set[Op] = set()
    lock = Lock()

    def wire(op: Op) -> Any:
        with lock:
            recorded = answers.get(op)
            if not recorded:
                pending.add(op)
                raise Suspended
            answer = recorded.popleft()
        if isinstance(answer, Fails):
            raise answer.error("injected")
        return answer

    try:
        program.run(wire, lambda: bool(pending))
    except Suspended:
        return tuple(sorted(pending, key=str))
    return ()


def run_alone(program: Program, memory: Memory, number: int) -> Memory:
    """The whole run with nobody beside it."""
    here = memory

    def wire(op: Op) -> Any:
        nonlocal here
        with lock:
            here, answer = perform(op, here, number)
        return answer

    lock = Lock()
    program.run(wire)
    return bury(here, number)
