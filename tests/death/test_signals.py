"""Ctrl-C, SIGTERM, a closed terminal, and words that nobody hears: nothing is left half done."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import threading

import pytest
from lock_server import LockServer, Trouble
from scenes import Moment, Process, Scene, check_healed, first, meanwhile, set_up, single
from staging import SECRET, Stage, wait_for

from reconciler.emulator import Call, Drop, Fault
from reconciler.engine import CONCURRENCY

LOCK = "lock: {type: file, path: run.lock}\n"
ONCE = ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143))
AT_THE_FIRST, POSTED = Moment("POST", "before", 0), Moment("POST", "after", 0)


def many(stage: Stage) -> Scene:
    """More than can be in flight at once."""
    names = [f"t{n}" for n in range(20)]
    stage.tokens_file(*(f"name: {name}" for name in names))
    return Scene(stage, ("apply", "--yes"), names)


def interrupt(process: Process, number: signal.Signals) -> None:
    """Returns when the process has said that it knows."""
    process.popen.send_signal(number)
    for line in process.popen.stdout or ():
        process.said += line
        if "finishing what is in flight" in line:
            return


def check_whole(scene: Scene) -> None:
    """What is made is stored, and what is stored is made; the lock is free."""
    stage = scene.stage
    made = stage.live()
    assert all(len(ids) == 1 for ids in made.values())
    assert {name for name in scene.entries if scene.consumed(name)} == set(made) - {"by-hand"}
    scene.look()
    assert scene.complaints == []
    with (stage.folder / "run.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not SECRET.search("".join(stage.said))


@pytest.mark.parametrize(("number", "code"), ONCE, ids=["INT", "TERM", "HUP"])
def test_the_first_signal_finishes_what_is_in_flight(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    scene, there, knows = set_up(stage, many, LOCK), threading.Semaphore(0), threading.Event()

    def wait() -> None:
        there.release()
        knows.wait()

    def once(process: Process) -> None:
        for _ in range(CONCURRENCY - 1):
            there.acquire()
        interrupt(process, number)
        knows.set()

    stage.emulator.faults.add(Fault(Call(wait), "POST", skip=1, times=CONCURRENCY - 1))
    process = meanwhile(scene, AT_THE_FIRST, once)
    assert process.code == code
    check_whole(scene)
    assert len(stage.live()) == 1 + CONCURRENCY
    assert process.said.count("not started: interrupted") == len(scene.entries) - CONCURRENCY
    check_healed(scene)


@pytest.mark.parametrize(("number", "code"), ONCE, ids=["INT", "TERM", "HUP"])
def test_the_second_leaves_at_once_and_says_what_it_cut_off(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    def twice(process: Process) -> None:
        interrupt(process, signal.SIGINT)
        process.popen.send_signal(number)
        process.popen.wait()

    scene = set_up(stage, single, LOCK)
    process = meanwhile(scene, POSTED, twice)
    assert process.code == code
    assert "left at once; cut off: a. Run the same command again" in process.said
    check_healed(scene)


def test_a_third_waits_while_the_lock_is_given_back_and_a_fourth_does_not(stage: Stage) -> None:
    with LockServer("terraform").served() as server:
        scene = set_up(stage, single, server.config)
        server.troubles.append(Trouble("UNLOCK", "hang"))

        def four_times(process: Process) -> None:
            interrupt(process, signal.SIGINT)
            process.popen.send_signal(signal.SIGTERM)
            wait_for(lambda: len(server.asked) == 2)
            process.popen.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.popen.wait(0.5)
            process.popen.send_signal(signal.SIGTERM)
            process.popen.wait()

        process = meanwhile(scene, POSTED, four_times)
    assert process.code == 143


def test_a_token_made_by_hand_is_made_to_its_end(stage: Stage) -> None:
    create = ("create", "--name", "x", "--user-id", "ci-bot", "--expires-in", "30")
    for argv in ((*create, "--sink", "local"), (*create, "--show-once")):
        scene = Scene(stage, argv, ())
        process = meanwhile(scene, POSTED, lambda running: interrupt(running, signal.SIGINT))
        assert process.code == 130
        (token,) = stage.live()["x"]
        assert f"created x  {token}" in process.said
        (secret,) = stage.secrets().values() or SECRET.findall(process.said)
        assert stage.emulator.authenticates(secret) == stage.bot
        stage.emulator.forget(token)
        stage.emulator.faults.clear()
        shutil.rmtree("secrets", ignore_errors=True)


def test_what_the_parent_ignores_stays_ignored(stage: Stage) -> None:
    scene = set_up(stage, first, LOCK)
    process = meanwhile(
        scene,
        AT_THE_FIRST,
        lambda running: running.popen.send_signal(signal.SIGHUP),
        before=("nohup",),
    )
    assert process.code == 0, process.said
    check_whole(scene)
    check_healed(scene)


def test_a_terminal_that_is_closed(stage: Stage) -> None:
    """The kernel sends SIGHUP, and every write to the terminal fails from then on."""
    scene = set_up(stage, first, LOCK)
    ours, theirs = pty.openpty()
    process = meanwhile(
        scene,
        AT_THE_FIRST,
        lambda running: os.close(ours),
        before=("setsid", "--ctty"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    assert process.code == 143
    check_whole(scene)
    check_healed(scene)


# Words that nobody hears


def test_a_reader_that_leaves_takes_nothing_but_the_words(stage: Stage) -> None:
    scene = set_up(stage, first, LOCK)
    ours, theirs = os.pipe()
    process = meanwhile(scene, AT_THE_FIRST, lambda running: os.close(ours), stdout=theirs)
    os.close(theirs)
    assert process.code == 1  # all is done, but not all was said
    check_whole(scene)
    assert len(stage.live()) == 4
    check_healed(scene)


def test_a_result_that_matters_more_than_lost_words_decides_the_code(stage: Stage) -> None:
    scene = set_up(stage, single, LOCK)
    stage.emulator.faults.add(Fault(method="POST", when="after", action=Drop()))
    ours, theirs = os.pipe()
    process = meanwhile(scene, AT_THE_FIRST, lambda running: os.close(ours), stdout=theirs)
    os.close(theirs)
    assert process.code == 9
    check_healed(scene)


@pytest.mark.parametrize(
    ("streams", "code"), [(">&-", 0), (">&- 2>&-", 0), ("<&- >&- 2>&-", 0), (">/dev/full", 1)]
)
def test_streams_that_are_closed_or_full_from_the_start(
    stage: Stage, streams: str, code: int
) -> None:
    scene = set_up(stage, first, LOCK)
    process = meanwhile(
        scene, AT_THE_FIRST, lambda running: None, before=("sh", "-c", f'exec "$@" {streams}', "sh")
    )
    assert (process.code, process.said) == (code, "")
    check_whole(scene)
    assert len(stage.live()) == 4
    check_healed(scene)


def test_a_report_that_cannot_be_written_any_more_hides_nothing(stage: Stage) -> None:
    scene = set_up(stage, first, LOCK)
    folder = stage.folder / "reports"
    folder.mkdir()
    scene.argv = (*scene.argv, "--report", "json=reports/run.json")
    process = meanwhile(scene, AT_THE_FIRST, lambda running: folder.rmdir())
    assert process.code == 1
    assert "Applied: 4 done." in process.said
    lost = "reports/run.json was not written: No such file"
    assert process.said.index("Applied") < process.said.index(lost)
    check_whole(scene)
    check_healed(scene)
