"""Runs that are left while programs are at work for them: what these may still do, they do under the lock."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lock_server import Asked, LockServer
from sealing import quick
from staging import SECRET, Stage, command, wait_for
from test_exec import is_dead
from test_exec_contract import COMMANDS, Kept

from reconciler import child
from reconciler.program import Ended, NotStarted, Program

KEY = "platform/terraform"
PATH = {"PATH": os.environ["PATH"]}


@dataclass
class Watched(LockServer):
    """Looks whether the program is gone when the lock is given back."""

    at_work: Path = Path()
    was_gone: list[bool] = field(default_factory=list)

    def _unlock(self, asked: Asked) -> tuple[int, Any]:
        self.was_gone.append(is_dead(int(self.at_work.read_text())))
        return super()._unlock(asked)


@pytest.fixture
def watched(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Kept, Watched]]:
    """A store that compares nothing, and a lock that outlives its run."""
    monkeypatch.setenv("PATH", quick(stage.folder.parent))
    (stage.folder / "capabilities").write_text(json.dumps({"cas": False, "atomic": True}))
    stage.tokens_file("{name: terraform, sinks: [kept]}")
    with Watched("terraform", at_work=stage.folder / "at_work").served() as lock:
        stage.config(f"sinks:\n  kept: {{type: exec, command: [{COMMANDS / 'keeper'}]}}\n{lock.config}")
        yield Kept(stage.folder), lock


def test_a_write_in_flight_is_ended_before_the_lock_is_given_back(
    stage: Stage, watched: tuple[Kept, Watched]
) -> None:
    kept, lock = watched
    with kept.mood("put lingers"):
        run = command(stage, "apply", "--yes")
        wait_for(lock.at_work.exists)
        run.send_signal(signal.SIGINT)
        assert run.stdout
        next(line for line in run.stdout if "finishing what is in flight" in line)
        run.send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=20)
    assert run.returncode == 143
    assert "left at once; cut off: terraform" in said
    assert (lock.held, lock.was_gone) == (None, [True])
    assert kept.value(KEY) is None
    assert stage.run("apply", "--yes").code == 0
    assert SECRET.fullmatch(kept.value(KEY) or "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_look_is_ended_too_and_nobody_waits_for_it(
    stage: Stage, watched: tuple[Kept, Watched], number: signal.Signals
) -> None:
    kept, lock = watched
    with kept.mood("list lingers"):
        run = command(stage, "apply", "--yes")
        wait_for(lock.at_work.exists)
        run.send_signal(number)
        said, _ = run.communicate(timeout=20)
    assert run.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert (lock.held, lock.was_gone) == (None, [True])
    assert "Traceback" not in said


# The parts of it


def stubborn(folder: Path) -> Program:
    """A program whose child ignores what asks it to end."""
    script = "(trap '' TERM INT HUP; sleep 60 & echo $! > left; wait) & wait"
    return Program(("sh", "-c", script), PATH, folder)


def test_whoever_leaves_ends_all_and_starts_alone(tmp_path: Path) -> None:
    came: list[Ended | NotStarted] = []

    def run(program: Program) -> None:
        try:
            came.append(program.run())
        except NotStarted as error:
            came.append(error)

    at_work = threading.Thread(target=run, args=[stubborn(tmp_path)])
    at_work.start()
    wait_for(lambda: (tmp_path / "left").exists() and (tmp_path / "left").read_text())
    child.end_all()
    try:
        assert is_dead(int((tmp_path / "left").read_text()))
        late = threading.Thread(target=run, args=[Program(("true",), PATH, tmp_path)])
        late.start()
        late.join()
        at_work.join()
        assert Program(("true",), PATH, tmp_path).run().status == 0
    finally:
        child.allow()
    ended, refused = sorted(came, key=lambda each: isinstance(each, NotStarted))
    assert isinstance(ended, Ended)
    assert ended.status == -signal.SIGKILL
    assert isinstance(refused, NotStarted)
    assert "being left" in refused.message
    run(Program(("true",), PATH, tmp_path))
    assert came[-1] == Ended(0, b"", b"")


def test_who_was_asked_to_start_before_does_not_start_after(tmp_path: Path) -> None:
    """As the very thread that a signal interrupts between the two."""
    asked = child.Child(lambda: pytest.fail("it was started"), b"", 1)
    child.end_all()
    child.allow()
    with pytest.raises(NotStarted):
        asked.live(1)


def test_output_that_something_else_may_go_on_writing_is_not_taken_for_whole(tmp_path: Path) -> None:
    """It left the group, so it lives on, and has the pipe."""
    stays = "setsid sh -c 'echo $$ > left; exec sleep 60'"
    script = f"echo 'first line'; {stays} & while ! test -s left; do :; done"
    ended = Program(("sh", "-c", script), PATH, tmp_path).run()
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
    assert ended.status is None
    assert "may not be whole" in ended.told()


@pytest.mark.parametrize(
    "left", ["sleep 60", "setsid sleep 60 >/dev/null", "setsid sleep 60 >/dev/null </dev/null"]
)
def test_output_that_has_ended_is_whole_whatever_was_left_running(tmp_path: Path, left: str) -> None:
    """What is in the group is ended; what is not has only the pipe for people, or none."""
    ended = Program(("sh", "-c", f"echo all; {left} & echo $! > left"), PATH, tmp_path).run()
    pid = int((tmp_path / "left").read_text())
    if "setsid" in left:
        os.kill(pid, signal.SIGKILL)
    assert (ended.status, ended.out, ended.why) == (0, b"all\n", "")


def test_an_unheard_program_may_leave_something_running_unless_it_is_ended(tmp_path: Path) -> None:
    for timeout, why in ((20.0, ""), (0.3, "took longer than 0.3 s")):
        script = "trap '' TERM; sleep 60 & echo $! > left; " + ("wait" if why else "true")
        ended = Program(("sh", "-c", script), PATH, tmp_path, timeout, unheard=True).run()
        pid = int((tmp_path / "left").read_text())
        assert (ended.status, ended.why) == (None if why else 0, why)
        if why:
            wait_for(lambda pid=pid: is_dead(pid))
        else:
            assert not is_dead(pid)
            os.kill(pid, signal.SIGKILL)
