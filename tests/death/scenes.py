"""Runs that may die, and what must be true whenever somebody looks from outside.

The command is a process of its own; the emulator is served from the test's process, so that a test
can act between a request and its answer. Nothing here asks the tool what it thinks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from staging import SECRET, Stage

from reconciler.emulator import Call, Drop, Fault

RAW = ""
DOTENV = "sinks:\n  local: {type: file, format: dotenv, path: secrets/all.env}\n"
ROTATE = ("rotate", "a", "--compromised", "--reason", "leaked", "--yes")
APPLY = ("apply", "--yes")


@dataclass
class Scene:
    """One command before it runs.

    Attributes:
        entries: Names that stand in the file: each has one live token in the end.
        complaints: What was wrong when somebody looked, from whatever thread.
    """

    stage: Stage
    argv: Sequence[str]
    entries: Sequence[str]
    shared: bool = False
    served: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def consumed(self, name: str) -> str | None:
        """The secret that a consumer of this entry reads now."""
        if not self.shared:
            path = self.stage.folder / "secrets/platform" / name
            return path.read_text("utf-8") if path.exists() else None
        path = self.stage.folder / "secrets/all.env"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        key = f"PLATFORM_{name.upper()}="
        return next((line.removeprefix(key) for line in lines if line.startswith(key)), None)

    def look(self) -> None:
        """Every consumer that was once served is let in, at every moment."""
        for name in self.entries:
            was_served = name in self.served  # asked first: another thread may see it served meanwhile
            secret = self.consumed(name)
            if secret is None:
                if was_served:
                    self.complaints.append(f"{name}: its secret is gone")
            elif self.stage.emulator.authenticates(secret) == self.stage.bot:
                self.served.add(name)
            else:
                self.complaints.append(f"{name}: its consumer is not let in")

    def at_every_request(self) -> None:
        for when in ("before", "after"):
            fault = Fault(action=Call(self.look), when=when, times=None)
            self.stage.emulator.faults.add(fault)


def first(stage: Stage) -> Scene:
    """Three tokens that have never been."""
    stage.tokens_file("name: a", "name: b", "name: c")
    return Scene(stage, APPLY, ("a", "b", "c"))


def single(stage: Stage) -> Scene:
    """One token that has never been."""
    stage.tokens_file("name: a")
    return Scene(stage, APPLY, ("a",))


def renewal(stage: Stage) -> Scene:
    """One token in its window."""
    stage.tokens_file("name: a")
    _made(stage)
    stage.pass_time(days=80)
    return Scene(stage, APPLY, ("a",))


def retirement(stage: Stage) -> Scene:
    """A predecessor whose overlap is over."""
    renewal(stage)
    _made(stage)
    stage.pass_time(days=8)
    return Scene(stage, APPLY, ("a",))


def removal(stage: Stage) -> Scene:
    """One of two entries is taken out of the file."""
    stage.tokens_file("name: a", "name: z")
    _made(stage)
    stage.pass_time(hours=1)
    stage.tokens_file("name: a")
    return Scene(stage, APPLY, ("a",))


def compromised(stage: Stage) -> Scene:
    """A token that somebody else may have."""
    stage.tokens_file("name: a")
    _made(stage)
    stage.pass_time(hours=1)
    return Scene(stage, ROTATE, ("a",))


SCENES = {each.__name__: each for each in (first, single, renewal, retirement, removal, compromised)}


def _made(stage: Stage) -> None:
    assert stage.run("apply", "--yes").code == 0


def set_up(stage: Stage, make: Callable[[Stage], Scene], shape: str = RAW) -> Scene:
    """The scene, in this shape of sink, with a token in it that is none of ours."""
    stage.config(shape)
    stage.emulator.issue(stage.bot, "by-hand", days=300)
    scene = make(stage)
    scene.shared = shape == DOTENV
    scene.look()
    stage.emulator.requests.clear()
    return scene


@dataclass
class Process:
    """A run in a process of its own, and what it said when it was over."""

    popen: subprocess.Popen[str]
    said: str = ""

    @property
    def code(self) -> int:
        return self.popen.returncode

    def kill(self) -> None:
        """At once; returns when it is dead."""
        self.popen.kill()
        self.popen.wait()


def started(scene: Scene, before: Sequence[str] = (), **more) -> Process:
    """In the scene's folder; `before` is what runs the command, such as `nohup`."""
    argv = [*before, sys.executable, "-m", "reconciler", *scene.argv]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **more}
    return Process(subprocess.Popen(argv, text=True, cwd=scene.stage.folder, **pipes))


def ended(scene: Scene, process: Process) -> Process:
    """Wait for the end. The run's words must not hold a secret."""
    try:
        said, _ = process.popen.communicate(timeout=60)
    finally:
        process.popen.kill()
    process.said += said or ""
    scene.stage.said.append(process.said)
    return process


@dataclass(frozen=True)
class Moment:
    """One request of a run.

    Attributes:
        when: `unsent`: it never reaches the server. `before`: the server acts afterwards, `after`:
            it has acted; in neither case does anybody get the answer.
        skip: So many requests of this method went before.
    """

    method: str
    when: Literal["unsent", "before", "after"]
    skip: int

    def __str__(self) -> str:
        return f"{self.method} {self.skip + 1} {self.when}"

    def then(self, function: Callable[[], object]) -> Iterator[Fault]:
        """Faults that call the function at this moment."""
        before_or_after = "after" if self.when == "after" else "before"
        yield Fault(Call(function), self.method, when=before_or_after, skip=self.skip)
        if self.when == "unsent":
            yield Fault(Drop(), self.method, skip=self.skip)


def moments(writes: Sequence[str]) -> Iterator[Moment]:
    """One look, and around each write of these methods."""
    yield Moment("GET", "after", 0)
    for method in sorted(set(writes)):
        for skip in range(writes.count(method)):
            for when in ("unsent", "before", "after"):
                yield Moment(method, when, skip)


def dies_at(scene: Scene, moment: Moment) -> None:
    """Run until then, and no further."""
    process = meanwhile(scene, moment, Process.kill)
    assert process.code == -signal.SIGKILL, process.said


def meanwhile(
    scene: Scene, moment: Moment, act: Callable[[Process], object], **more
) -> Process:
    """Run to the end; at this moment, something happens to the process."""
    running: list[Process] = []
    is_running, has_happened = threading.Event(), threading.Event()

    def happen() -> None:
        is_running.wait()
        act(running[0])
        has_happened.set()

    for fault in moment.then(happen):
        scene.stage.emulator.faults.add(fault)
    running.append(started(scene, **more))
    is_running.set()
    for _ in range(6000):  # a minute; until then nobody else reads what the process says
        if has_happened.wait(0.01) or running[0].popen.poll() is not None:
            break
    return ended(scene, running[0])


def check_healed(scene: Scene) -> None:
    """Two clean runs settle everything, whatever died before: one at once, one past the overlap."""
    stage = scene.stage
    stage.emulator.faults.clear()
    scene.look()
    for days in (0, 8):
        stage.pass_time(days=days)
        scene.at_every_request()
        ran = stage.run("apply", "--yes")
        assert ran.code == 0, ran.out + ran.err
        stage.emulator.faults.clear()
        scene.look()
    assert scene.complaints == []
    assert set(scene.served) == set(scene.entries)
    live = stage.live()
    assert {name: len(ids) for name, ids in live.items()} == dict.fromkeys(
        (*scene.entries, "by-hand"), 1
    )
    assert [each.name for each in stage.emulator.tokens(stage.us)] == ["bootstrap"]
    check_files(scene)
    assert stage.run("plan", "--detailed-exitcode").code == 0
    assert not SECRET.search("".join(stage.said))


def check_files(scene: Scene) -> None:
    """Secrets stand where they belong and nowhere else; nothing is left of what was cut off."""
    wanted = {scene.consumed(name) for name in scene.entries}
    found = set()
    for path in _files(scene.stage.folder):
        assert not path.name.endswith(".tmp"), path
        found |= set(SECRET.findall(path.read_text("utf-8")))
    assert found == wanted


def _files(folder: Path) -> list[Path]:
    return [Path(at) / name for at, _, names in os.walk(folder) for name in names]


@contextmanager
def watched(scene: Scene) -> Iterator[None]:
    scene.at_every_request()
    yield
    assert scene.complaints == []
