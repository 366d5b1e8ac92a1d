"""Every order in which several runs can take their steps, with every fault at every step.

A depth-first walk over all worlds that can come about. Two worlds are the same if everything outside the
runs is the same and every run has seen the same: such a world is entered once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from faults import WRITES, faults
from memory import Memory, Op, is_possible, perform
from runs import Branch, Fails, Program, Tree, run_alone

NAP = timedelta(minutes=20)
"""Longer than the grace: what slept so long may wake up to a token that was revoked meanwhile."""

Invariant = Callable[[Memory, Memory], str]
"""From the world before a step and after it: what is wrong, or nothing."""


@dataclass(frozen=True)
class Scenario:
    """Where it begins, who runs, and what may go wrong.

    Attributes:
        faults: How many faults one history may have.
        naps: How often the clock may jump while runs are under way.
        settle: How two clean runs, and the time before each, end the story.
        during: What must hold from each step to the next.
        after: What must hold in the end.
    """

    name: str
    start: Memory
    programs: Sequence[Program]
    settle: Program
    during: Invariant
    after: Callable[[Memory], str]
    faults: int = 1
    naps: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """One state; a run that is None has ended or died."""

    memory: Memory
    runs: tuple[Branch | None, ...]
    faults: int
    naps: int


@dataclass
class Report:
    """What a walk found.

    Attributes:
        schedules: In how many ways the walk could go from the start to an end.
        violation: The first thing that is wrong, and the steps that lead there.
    """

    name: str
    states: int = 0
    schedules: int = 0
    endings: int = 0
    branches: int = 0
    violation: str = ""
    steps: tuple[str, ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        found = f"{self.name:<46} {self.states:>8,} states {self.branches:>7,} runs {self.endings:>6,} ends"
        wrong = f"\n  {self.violation}\n    " + "\n    ".join(self.steps) if self.violation else ""
        return f"{found}  {self.schedules:.2e} schedules{wrong}"


class Explorer:
    """One walk through one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._during = scenario.during
        self._after = scenario.after
        self._trees = {id(p): Tree(p) for p in scenario.programs}
        self._memories: dict[Memory, int] = {}
        self._verdicts: dict[int, str] = {}

    def walk(self, limit: int = 3_000_000) -> Report:
        """All of it, or up to the first violation. Raises RuntimeError beyond the limit of states."""
        scenario = self._scenario
        report = Report(scenario.name)
        roots = tuple(self._trees[id(p)].root for p in scenario.programs)
        first = World(scenario.start, roots, scenario.faults, scenario.naps)
        ways: dict[tuple[int, ...], int] = {}
        path: list[str] = []
        stack = [_Frame(first, self._key(first), self._successors(first), "")]
        while stack:
            frame = stack[-1]
            step = next(frame.successors, None)
            if step is None:
                ways[frame.key] = frame.ways
                stack.pop()
                if stack:
                    stack[-1].ways += frame.ways
                continue
            label, world, wrong = step
            path = [f.label for f in stack[1:]] + [label]
            if wrong:
                report.violation, report.steps = wrong, tuple(path)
                break
            if label == "":
                frame.ways = 1
                report.endings += 1
                continue
            key = self._key(world)
            if key in ways:
                frame.ways += ways[key]
                continue
            if len(ways) > limit:
                raise RuntimeError(f"{scenario.name} has more than {limit} states")
            stack.append(_Frame(world, key, self._successors(world), label))
        report.states = len(ways) + len(stack)
        report.schedules = ways.get(self._key(first), 0)
        report.branches = sum(tree.size for tree in self._trees.values())
        return report

    def _key(self, world: World) -> tuple[int, ...]:
        number = self._memories.setdefault(world.memory, len(self._memories))
        return (number, world.faults, world.naps, *(r.number if r else 0 for r in world.runs))

    def _successors(self, world: World) -> Iterator[tuple[str, World, str]]:
        """Steps from here: a label, the world after it, and what is wrong with it. No label: the end."""
        moved = False
        for at, run in enumerate(world.runs):
            for op in run.pending if run else ():
                if is_possible(op, world.memory, at + 1):
                    moved = True
                    yield from self._steps(world, at, op)
        if world.naps and any(world.runs) and not _is_writing(world):
            later = replace(world.memory, now=world.memory.now + NAP)
            woken = replace(world, memory=later, naps=world.naps - 1)
            yield from self._checked("20 minutes pass", world, woken)
        if not moved:
            if any(world.runs):
                yield "stuck", world, "every run waits for another"
            else:
                yield "", world, self._settled(world.memory)

    def _steps(self, world: World, at: int, op: Op) -> Iterator[tuple[str, World, str]]:
        name = f"run {at + 1}: {op}"
        memory, answer = perform(op, world.memory, at + 1)
        yield from self._checked(name, world, self._moved(world, at, op, memory, answer))
        if not world.faults:
            return
        for label, spoiled, error in faults(op, world.memory, memory, at + 1):
            if error is None:
                dead = (*world.runs[:at], None, *world.runs[at + 1 :])
                after = replace(world, memory=spoiled, runs=dead)
            else:
                after = self._moved(world, at, op, spoiled, Fails(error))
            after = replace(after, faults=world.faults - 1)
            yield from self._checked(f"{name} {label}", world, after)

    def _moved(self, world: World, at: int, op: Op, memory: Memory, answer: object) -> World:
        run = world.runs[at]
        assert run is not None
        tree = self._trees[id(self._scenario.programs[at])]
        after = tree.after(run, op, answer)
        runs = (*world.runs[:at], after if after.pending else None, *world.runs[at + 1 :])
        return replace(world, memory=memory, runs=runs)

    def _checked(self, label: str, before: World, after: World) -> Iterator[tuple[str, World, str]]:
        yield label, after, self._during(before.memory, after.memory)

    def _settled(self, memory: Memory) -> str:
        """What is wrong after two clean runs."""
        number = self._memories.setdefault(memory, len(self._memories))
        if number not in self._verdicts:
            self._verdicts[number] = self._judged(memory)
        return self._verdicts[number]

    def _judged(self, memory: Memory) -> str:
        for wait in (NAP, timedelta(days=9)):
            before = replace(memory, now=memory.now + wait)
            memory = run_alone(self._scenario.settle, before, 99)
            if wrong := self._during(before, memory):
                return f"in a clean run: {wrong}"
        return self._after(memory)


@dataclass
class _Frame:
    """A world on the way, and what is still to be tried from it."""

    world: World
    key: tuple[int, ...]
    successors: Iterator[tuple[str, World, str]]
    label: str
    ways: int = 0


def _is_writing(world: World) -> bool:
    """Between a look at the clock and the write that follows no machine sleeps for long."""
    return any(op.what in WRITES for run in world.runs if run for op in run.pending)
