"""SIGKILL at every step: at each request that writes, and at each system call of the file sink."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import tracing
from scenes import (
    DOTENV,
    RAW,
    SCENES,
    Moment,
    Process,
    Scene,
    check_healed,
    dies_at,
    ended,
    meanwhile,
    moments,
    set_up,
    single,
    started,
    watched,
)
from staging import Stage, staged, wait_for

from reconciler.emulator import Clock


def every() -> list[tuple[str, Moment]]:
    return [
        (name, moment)
        for name, writes in WRITES.items()
        for moment in moments(writes)
    ]

WRITES = {
    "first": ("POST", "POST", "POST"),
    "renewal": ("POST",),
    "retirement": ("DELETE",),
    "removal": ("DELETE",),
    "compromised": ("POST", "DELETE"),
}
"""What each scene sends when nobody interferes."""


@pytest.mark.parametrize("name", WRITES)
def test_a_run_that_nobody_kills(stage: Stage, name: str) -> None:
    scene = set_up(stage, SCENES[name])
    with watched(scene):
        assert ended(scene, started(scene)).code == 0
    assert tuple(method for method, _ in stage.writes()) == WRITES[name]
    check_healed(scene)


@pytest.mark.parametrize(("name", "moment"), every(), ids=str)
def test_killed_at_a_request(stage: Stage, name: str, moment: Moment) -> None:
    scene = set_up(stage, SCENES[name])
    scene.at_every_request()
    dies_at(scene, moment)
    check_healed(scene)


def test_a_post_that_arrives_after_the_next_run(stage: Stage) -> None:
    """The slowest proxy: a dead run's token comes to be when its successor is made already."""
    scene, arrives = set_up(stage, single), threading.Event()

    def die(process: Process) -> None:
        process.kill()
        arrives.wait()

    process = meanwhile(scene, Moment("POST", "before", 0), die)
    assert process.code == -signal.SIGKILL
    assert stage.run("apply", "--yes").code == 0
    arrives.set()
    wait_for(lambda: len(stage.live()["a"]) == 2)
    check_healed(scene)


WRITERS = (  # scene, sink, and from when on to count its calls
    ("single", RAW, Moment("GET", "after", 0)),
    ("single", RAW, Moment("POST", "after", 0)),
    ("renewal", RAW, Moment("POST", "after", 0)),
    ("removal", RAW, Moment("DELETE", "after", 0)),
    ("renewal", DOTENV, Moment("POST", "after", 0)),
    ("removal", DOTENV, Moment("DELETE", "after", 0)),
    ("compromised", DOTENV, Moment("POST", "after", 0)),
)
PARTS = 3


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("name", "shape", "moment"), WRITERS, ids=str)
def test_killed_at_a_system_call(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    shape: str,
    moment: Moment,
    part: int,
) -> None:
    tracing.needed()
    log = tmp_path / "log"

    def run(number: int, *inject: str) -> tuple[Scene, Process]:
        def attach(process: Process) -> None:
            tracers.append(tracing.attached(process.popen.pid, log, *inject, names=tracing.NAMES))

        tracers: list[subprocess.Popen[str]] = []
        place = tmp_path / str(number)
        stage = stack.enter_context(staged(place, monkeypatch, capsys, Clock()))
        scene = set_up(stage, SCENES[name], shape)
        process = meanwhile(scene, moment, attach)
        assert [tracer.communicate() for tracer in tracers]
        return scene, process

    with ExitStack() as stack:
        assert run(0)[1].code == 0
        steps = sorted({(call.name, call.number) for call in tracing.calls(log)})
        assert {"flock", "fsync"} < {name for name, _ in steps}
        for number, (call, nth) in enumerate(steps[part::PARTS], 1):
            print(f"killed at {call} {nth}")  # noqa: T201 - shown when a check fails
            scene, process = run(number, f"{call}:signal=SIGKILL:when={nth}")
            assert process.code == -signal.SIGKILL
            check_healed(scene)
