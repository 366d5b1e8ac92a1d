"""A lock on a file: the kernel decides who holds it, the file says who that is."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.errors import LockHeld, UsageError
from reconciler.locks import Hold, Holder, Lock, Surroundings, lock_of

ME = Holder("our-id", "apply", "process 1", "me@here", "v", "2026-11-24T10:00:05Z")
OTHER = Holder("their-id", "renew", "process 2", "they@there", "v", "2026-11-24T09:00:00Z")
NEVER_ASKED = pytest.fail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.lock"


def made(path: Path) -> Lock:
    return lock_of("file", {"path": path.name}, Surroundings(path.parent, {}, allow_http=False))


def test_who_comes_second_learns_who_holds_it(path: Path) -> None:
    first, second = made(path), made(path)
    first.take(ME)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(LockHeld) as held:
        second.take(OTHER)
    assert held.value.message == (
        f"another run holds the lock {path}: apply by me@here (process 1)"
        " since 2026-11-24T10:00:05Z, id our-id"
    )
    assert "unlock" not in held.value.hint  # it falls with its process
    second.give_back()
    with pytest.raises(LockHeld):
        second.take(OTHER)
    first.give_back()
    assert path.read_bytes() == b""
    second.take(OTHER)
    assert json.loads(path.read_bytes())["ID"] == "their-id"
    second.give_back()


@pytest.mark.parametrize("facts", [b"", b"{", b"[]", b'{"ID": 7}', b"\xff", b"[" * 5000])
def test_what_the_file_says_does_not_decide(path: Path, facts: bytes) -> None:
    path.write_bytes(facts)
    path.chmod(0o600)
    first = made(path)
    first.take(ME)
    path.write_bytes(facts)
    with pytest.raises(LockHeld, match="it does not say who it is"):
        made(path).take(OTHER)
    first.give_back()
    made(path).take(OTHER)


def test_a_dead_process_holds_nothing(path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from reconciler.locks import Holder; from reconciler.locks.file import FileLock;"
        "FileLock(Path(sys.argv[1])).take(Holder('dead-id')); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    assert b"dead-id" in path.read_bytes()
    assert made(path).unlock("dead-id", ME, NEVER_ASKED).startswith("nobody holds the lock")
    assert path.read_bytes() == b""
    made(path).take(ME)


def test_a_child_inherits_no_lock(path: Path) -> None:
    lock = made(path)
    lock.take(ME)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.give_back()
        made(path).take(OTHER)
        child.kill()


def test_unlock_says_who_holds_it_and_that_nothing_needs_to_be_done(path: Path) -> None:
    lock = made(path)
    lock.take(ME)
    said = made(path).unlock("our-id", OTHER, NEVER_ASKED)
    assert "apply by me@here" in said
    assert "falls with the process that holds it" in said
    with pytest.raises(LockHeld):
        made(path).take(OTHER)
    lock.give_back()


def test_a_full_disk_makes_it_anonymous_and_no_looser(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.symlink_to("/dev/full")
    with pytest.raises(UsageError, match=r"run\.lock: Too many levels of symbolic links"):
        made(path).take(ME)
    path.unlink()
    os.mkfifo(path, 0o600)  # takes an flock, and neither positions nor ends
    lock = made(path)
    lock.take(ME)
    with pytest.raises(LockHeld, match="it does not say who it is"):
        made(path).take(OTHER)
    lock.give_back()


def test_a_lock_file_that_cannot_be_made_is_the_configs_fault(path: Path) -> None:
    path.mkdir()
    with pytest.raises(UsageError, match="Is a directory") as refused:
        made(path).take(ME)
    assert refused.value.exit_code == 3
    with pytest.raises(UsageError, match="No such file"):
        made(path.parent / "no" / "run.lock").take(ME)


def test_the_wait_ends_when_the_other_run_ends(path: Path) -> None:
    first = made(path)
    first.take(ME)
    hold = Hold(made(path), lambda: OTHER, lambda _: first.give_back())
    hold.take(30)
    assert json.loads(path.read_bytes())["ID"] == "their-id"
    assert hold.give_back() == ""
