"""Whole runs and their lock: two processes at once, every way out, and a lock server in trouble."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import Server
from fakes.kubernetes import NAMESPACE, Kubernetes
from lock_server import METHODS, LockServer, Trouble
from staging import Stage, command, wait_for

from reconciler.emulator import Call, Fault, Status

FILE = "lock: {type: file, path: run.lock}\n"
DEAD = {
    "ID": "dead-id", "Operation": "apply", "Info": "process 7", "Who": "ci@runner", "Version": "v",
    "Created": "2026-11-24T09:00:00Z", "Path": "",
}  # fmt: skip


@pytest.fixture(params=["file", "terraform", "gitlab", "kubernetes"])
def lock(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[str]:
    """Each kind of lock, as it stands in the config."""
    stage.tokens_file("name: a")
    if request.param == "file":
        stage.config(FILE)
        yield FILE
        return
    if request.param == "kubernetes":
        with Kubernetes().served() as cluster:
            path = Server(cluster.url, NAMESPACE).kubeconfig(tmp_path / "kubeconfig", cluster.url)
            config = f"lock: {{type: kubernetes, kubeconfig: {path}}}\n"
            stage.config(config)
            yield config
        return
    with LockServer(request.param).served() as server:
        stage.config(server.config)
        yield server.config


@pytest.fixture
def locked(stage: Stage) -> Iterator[LockServer]:
    """A stage whose runs take the lock of this server."""
    stage.tokens_file("name: a")
    with LockServer("terraform").served() as server:
        stage.config(server.config)
        yield server


@contextmanager
def held_up(stage: Stage, method: str, path: str) -> Iterator[tuple[threading.Event, Any]]:
    """The next such request gets no answer until the event is set."""
    go_on, there = threading.Event(), threading.Event()

    def wait() -> None:
        there.set()
        go_on.wait(60)

    stage.emulator.faults.add(Fault(method=method, path=path, action=Call(wait)))
    try:
        yield go_on, there
    finally:
        go_on.set()


def said_until(process: subprocess.Popen[str], words: str) -> str:
    said = ""
    assert process.stdout is not None
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(said)


def first_to_end(*processes: subprocess.Popen[str]) -> subprocess.Popen[str]:
    wait_for(lambda: any(process.poll() is not None for process in processes))
    return next(process for process in processes if process.poll() is not None)


def test_of_two_processes_one_applies_and_the_other_says_who(stage: Stage, lock: str) -> None:
    with held_up(stage, "POST", "*/tokens") as (go_on, _):
        both = command(stage, "apply", "--yes"), command(stage, "apply", "--yes")
        loser = first_to_end(*both)
        winner = both[1 - both.index(loser)]
        out, _ = loser.communicate()
        assert loser.returncode == 7, out
        assert re.search(r"another run holds the lock (lease )?\S+: .* since \S+Z, id \S{36}\n", out)
        if "POST" not in lock:  # GitLab does not say more than the account's name
            assert f"(process {winner.pid})" in out
        assert "Traceback" not in out
        assert stage.live() == {}
        go_on.set()
        out, _ = winner.communicate()
    assert winner.returncode == 0, out
    assert len(stage.live()["a"]) == 1
    assert "Nothing to do" in stage.run("apply", "--yes").out


def test_of_two_processes_one_applies_and_the_other_waits(stage: Stage, lock: str) -> None:
    with held_up(stage, "POST", "*/tokens") as (go_on, there):
        first = command(stage, "apply", "--yes")
        assert there.wait(20)
        second = command(stage, "apply", "--yes", "--lock-timeout", "60")
        assert "waiting up to 60 seconds" in said_until(second, "waiting up to")
        go_on.set()
        assert first.wait(20) == 0
        out, _ = second.communicate(timeout=20)
        first.communicate()
    assert second.returncode == 0
    assert "Nothing to do" in out
    assert len(stage.live()["a"]) == 1


def test_a_killed_run_leaves_what_its_type_of_lock_promises(stage: Stage, lock: str) -> None:
    with held_up(stage, "POST", "*/tokens") as (_, there):
        killed = command(stage, "apply", "--yes")
        assert there.wait(20)
        killed.kill()
        killed.communicate()
    stage.pass_time(minutes=20)
    ran = stage.run("apply", "--yes")
    if lock == FILE:
        assert ran.code == 0
        return
    assert ran.code == 7
    (unlock,) = re.findall(r"netbird-tokens (unlock \S+)", ran.err)
    assert stage.run("unlock", "1d8f6a0e", "--yes").code == 7
    assert stage.run(*unlock.split()).code == 3  # nobody is there to ask
    assert stage.run("apply", "--yes").code == 7
    ran = stage.run(*unlock.split(), "--yes")
    assert (ran.code, ran.out[:14]) == (0, "freed the lock")
    assert stage.run("apply", "--yes").code == 0
    assert "nobody holds the lock" in stage.run(*unlock.split(), "--yes").out


CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.mark.parametrize("number", CODES)
def test_a_signal_before_the_work_gives_the_lock_back(
    stage: Stage, locked: LockServer, number: signal.Signals
) -> None:
    with held_up(stage, "GET", "/api/users") as (_, there):
        process = command(stage, "apply", "--yes")
        assert there.wait(20)
        assert locked.held is not None
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == CODES[number], out
    assert locked.held is None
    assert "Traceback" not in out


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_users_are_read_does_not_wait_for_them(
    stage: Stage, locked: LockServer, number: signal.Signals
) -> None:
    with held_up(stage, "GET", "/api/users/*") as (go_on, there):
        process = command(stage, "apply", "--yes")
        assert there.wait(20)
        process.send_signal(number)
        wait_for(lambda: locked.held is None)
        go_on.set()
        process.communicate(timeout=20)
    assert process.returncode == CODES[number]


@pytest.mark.parametrize("number", CODES)
def test_a_signal_during_the_work_lets_it_end_and_gives_the_lock_back(
    stage: Stage, locked: LockServer, number: signal.Signals
) -> None:
    with held_up(stage, "POST", "*/tokens") as (go_on, there):
        process = command(stage, "apply", "--yes")
        assert there.wait(20)
        process.send_signal(number)
        said_until(process, "finishing what is in flight")
        assert locked.held is not None
        go_on.set()
        process.communicate(timeout=20)
    assert process.returncode == CODES[number]
    assert locked.held is None
    assert len(stage.secrets()) == 1


@pytest.mark.parametrize("number", CODES)
def test_a_second_signal_leaves_at_once_and_gives_the_lock_back(
    stage: Stage, locked: LockServer, number: signal.Signals
) -> None:
    with held_up(stage, "POST", "*/tokens") as (_, there):
        process = command(stage, "apply", "--yes")
        assert there.wait(20)
        process.send_signal(signal.SIGINT)
        said_until(process, "finishing what is in flight")
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == CODES[number]
    assert "left at once; cut off: a" in out
    assert locked.held is None


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_the_lock_is_taken_leaves_none_behind(
    stage: Stage, locked: LockServer, number: signal.Signals
) -> None:
    locked.troubles.append(Trouble(METHODS[locked.dialect][0], "hang", after=True))
    process = command(stage, "apply", "--yes")
    wait_for(lambda: locked.held)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == CODES[number]
    assert locked.held is None
    assert stage.writes() == []


def test_a_signal_while_it_is_given_back_waits_for_that_and_the_next_does_not(
    stage: Stage, locked: LockServer
) -> None:
    locked.troubles.append(Trouble(METHODS[locked.dialect][1], "hang"))
    process = command(stage, "apply", "--yes")
    wait_for(lambda: len(locked.asked) == 2)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert len(stage.secrets()) == 1


def test_a_wait_can_be_interrupted(stage: Stage, locked: LockServer) -> None:
    locked.held = DEAD
    process = command(stage, "apply", "--yes", "--lock-timeout", "60")
    said_until(process, "waiting up to")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert locked.held == DEAD


def guard(stage: Stage) -> None:
    stage.run("apply", "--yes")
    stage.config(
        (stage.folder / ".netbird-tokens.yaml").read_text(encoding="utf-8").split("Config\n")[1]
        + "sinks: {local: {type: file, path: elsewhere}}\n"
    )


def question(_stage: Stage) -> None:
    pass


def unread(stage: Stage) -> None:
    stage.emulator.faults.add(
        Fault(method="GET", path="/api/users", action=Status(403, "no"), times=None)
    )


def bug(stage: Stage) -> None:
    path = stage.folder / "secrets"
    path.mkdir(mode=0o700)
    (path / ".platform.registration.json").write_text("{", encoding="utf-8")


def broken(stage: Stage) -> None:
    stage.tokens_file("{name: a, expries_in: 3}")


@pytest.mark.parametrize(
    ("way_out", "argv", "code"),
    [
        (guard, ["--yes"], 5),
        (question, [], 3),
        (unread, ["--yes"], 4),
        (bug, ["--yes"], 1),
        (broken, ["--yes"], 3),
        (question, ["--yes", "--approved-change", "sha256:0"], 6),
        (question, ["--yes", "--report", "json=no/such/folder"], 3),
    ],
)
def test_every_other_way_out_gives_the_lock_back(
    stage: Stage, locked: LockServer, way_out: Callable[[Stage], None], argv: list[str], code: int
) -> None:
    way_out(stage)
    before = [signal.getsignal(number) for number in CODES]
    ran = stage.run("apply", *argv)
    assert ran.code == code, ran
    assert locked.held is None
    assert [signal.getsignal(number) for number in CODES] == before


@pytest.mark.parametrize("where", ["--show-once", "--sink=local"])
def test_create_and_revoke_take_the_lock_and_give_it_back(
    stage: Stage, locked: LockServer, where: str
) -> None:
    create = ("create", "--name", "x", where, "--user-id", "ci-bot")
    locked.held = DEAD
    ran = stage.run(*create)
    assert (ran.code, ran.out, stage.writes()) == (7, "", [])
    locked.held = None
    assert stage.run(*create).code == 0
    (token,) = stage.live()["x"]
    locked.held = DEAD
    for more in ((), ("--lock-timeout", "0.1")):
        ran = stage.run("revoke", token, "--yes", *more)
        assert ran.code == 7
        assert "netbird-tokens unlock dead-id" in ran.err
    assert "x" in stage.live()
    locked.held = None
    assert stage.run("revoke", token, "--yes").code == 0
    done = [asked.body["Operation"] for asked in locked.asked]
    assert done == ["create"] * 3 + ["revoke"] * len(done[3:])
    assert (locked.held, stage.live()) == (None, {})


@pytest.mark.parametrize("operation", ["apply", "renew", "rotate"])
def test_each_command_that_carries_out_a_plan_says_which_it_is(
    stage: Stage, locked: LockServer, operation: str
) -> None:
    stage.run("apply", "--yes")
    locked.asked.clear()
    more = ["a", "--reason", "test"] if operation == "rotate" else []
    assert stage.run(operation, *more, "--yes").code == 0
    taken, freed = locked.asked
    assert taken.body["Operation"] == operation
    assert taken.body["Info"] == f"process {os.getpid()}"
    assert freed.body == taken.body


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [(500, 1, "check `lock`"), (404, 1, "lock.url"), (401, 4, "_USERNAME"), (403, 4, "Maintainer")],
)
def test_a_lock_server_in_trouble_refuses_the_run_before_anything_is_sent(
    stage: Stage, locked: LockServer, status: int, code: int, advice: str
) -> None:
    locked.troubles += [Trouble(METHODS[locked.dialect][0], status)] * 2
    ran = stage.run("apply", "--yes")
    assert ran.code == code
    assert "could not take the lock" in ran.err
    assert advice in ran.err
    assert stage.emulator.requests == []


def test_a_lock_server_that_is_down_refuses_the_run(stage: Stage) -> None:
    with LockServer("terraform").served() as server:
        config = server.config
    stage.tokens_file("name: a")
    stage.config(config)
    ran = stage.run("apply", "--yes")
    assert ran.code == 1
    assert "could not take the lock" in ran.err
    assert "try: " in ran.err
    assert stage.emulator.requests == []
    assert stage.run("plan").code == 0


def test_a_lock_that_cannot_be_given_back_is_a_loud_warning_and_no_failed_run(
    stage: Stage, locked: LockServer
) -> None:
    locked.troubles += [Trouble(METHODS[locked.dialect][1], 500)] * 2
    ran = stage.run("apply", "--yes")
    assert ran.code == 0
    assert len(stage.secrets()) == 1
    assert locked.held is not None
    assert ran.err.startswith("WARNING: could not free the lock")
    assert f"netbird-tokens unlock {locked.held['ID']}" in ran.err
    assert stage.run("apply", "--yes").code == 7
    assert stage.run("unlock", locked.held["ID"], "--yes").code == 0
    assert stage.run("apply", "--yes").code == 0


def test_doctor_shows_the_lock_and_does_not_keep_it(stage: Stage, locked: LockServer) -> None:
    ran = stage.run("doctor")
    assert (ran.code, "✔ lock: free" in ran.out) == (0, True)
    assert locked.held is None
    locked.held = DEAD
    ran = stage.run("doctor", "--show-config")
    assert ran.code == 7
    assert "✘ lock: another run holds the lock" in ran.out
    assert "netbird-tokens unlock dead-id" in ran.out
    assert re.search(r"lock +http gitlab_job_token=False", ran.out)
    assert locked.held == DEAD
    locked.account = ("me", "hunter2")
    ran = stage.run("doctor")
    assert ran.code == 4
    assert "NETBIRD_TOKENS_LOCK_USERNAME" in ran.out


def test_the_account_of_the_lock_is_in_no_output(
    stage: Stage, locked: LockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETBIRD_TOKENS_LOCK_USERNAME", "me")
    monkeypatch.setenv("NETBIRD_TOKENS_LOCK_PASSWORD", "hunter2")
    locked.account = ("me", "hunter2")
    stage.config(locked.config + "hooks: {deploy: [[sh, -c, 'env > seen']]}\n")
    assert stage.run("apply", "--yes", "--report", "json=r.json").code == 0
    locked.account = ("me", "something else")
    for argv in (["apply", "--yes"], ["doctor", "--show-config"], ["unlock", "x", "--yes"]):
        assert stage.run(*argv).code == 4
    outputs = [*stage.said, *(p.read_text() for p in stage.folder.iterdir() if p.is_file())]
    assert len(outputs) > 10
    assert not [text for text in outputs if "hunter2" in text or "aHVudGVyMg" in text]


def test_unlock_without_a_lock_and_with_one_that_falls_by_itself(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert stage.run("unlock", "x").code == 3
    stage.config(FILE)
    ran = stage.run("unlock", "x")
    assert ran.code == 0
    assert "nothing needs to be unlocked" in ran.out
