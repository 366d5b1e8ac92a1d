"""What dies or fails around a run: the disk, the server, the clock."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tracing
from scenes import (
    DOTENV,
    RAW,
    SCENES,
    Moment,
    Process,
    check_healed,
    first,
    meanwhile,
    set_up,
    watched,
)
from staging import Stage, staged

from reconciler.emulator import Clock, serve

POSTED = Moment("POST", "after", 0)


WRITE, RENAME = "write", "?renameat,?renameat2"


@pytest.mark.parametrize(
    ("call", "room", "shape", "code"),
    [(WRITE, 0, RAW, 8), (WRITE, 1, RAW, 8), (WRITE, 0, DOTENV, 8),
     (RENAME, 0, RAW, 8), (RENAME, 1, RAW, 9), (RENAME, 0, DOTENV, 8)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["single", "renewal"])
def test_a_disk_that_is_full_from_the_post_on(
    stage: Stage, tmp_path: Path, name: str, call: str, room: int, shape: str, code: int
) -> None:
    """Room for so many more files or names; then neither secrets nor words can be written."""
    tracing.needed()
    scene = set_up(stage, SCENES[name], shape)

    def fill(process: Process) -> None:
        full = f"{call}:error=ENOSPC:when={room + 1}+"
        tracers.append(tracing.attached(process.popen.pid, tmp_path / "log", full))

    tracers: list = []
    with watched(scene):
        process = meanwhile(scene, POSTED, fill)
    tracers[0].communicate()
    assert process.code == code
    check_healed(scene)


@pytest.mark.parametrize("name", ["first", "renewal", "compromised"])
def test_a_server_that_dies_between_commit_and_answer_and_stays_dead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with ExitStack() as running:
        url = running.enter_context(serve(stage.emulator))
        monkeypatch.setenv("NB_MANAGEMENT_URL", url)
        scene = set_up(stage, SCENES[name])
        process = meanwhile(scene, POSTED, lambda _: running.close())
    assert process.code == 9
    assert "it is not known whether" in process.said
    with serve(stage.emulator, port=int(url.rpartition(":")[2])):
        check_healed(scene)


@pytest.mark.parametrize("year", [2019, 2041])
@pytest.mark.parametrize("name", ["first", "renewal", "retirement", "compromised"])
def test_a_machine_whose_clock_is_years_off(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    year: int,
    name: str,
) -> None:
    clock = Clock(datetime(year, 3, 1, tzinfo=UTC))
    with staged(tmp_path / "work", monkeypatch, capsys, clock) as stage:
        scene = set_up(stage, SCENES[name])
        with watched(scene):
            process = meanwhile(scene, Moment("GET", "after", 0), lambda _: None)
        assert process.code == 0, process.said
        assert "clock is" in process.said
        check_healed(scene)


def test_a_clock_that_jumps_while_a_run_is_at_work(stage: Stage) -> None:
    """The server's clock is set right by years; what is made, is made once."""
    scene = set_up(stage, first)
    jump = timedelta(days=300)
    process = meanwhile(scene, Moment("POST", "before", 0), lambda _: stage.clock.advance(jump))
    assert process.code == 0, process.said
    check_healed(scene)
