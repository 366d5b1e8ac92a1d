"""The action's own script becomes the command, so that every exit code and every signal passes through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from staging import Stage
from workflows import ACTION, ROOT

from reconciler.emulator import Delay, Drop, Fault, Status
from reconciler.locks import Holder
from reconciler.locks.file import FileLock

SCRIPT: str = next(step["run"] for step in ACTION["runs"]["steps"] if step.get("id") == "run")


def start(stage: Stage, command: str, *args: str, **more: str) -> subprocess.Popen[str]:
    """The step, as the runner starts it."""
    installed = stage.folder / "temp" / "netbird-tokens" / "bin"
    if not installed.exists():
        installed.mkdir(parents=True)
        entry = installed / "netbird-tokens"
        entry.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', "utf-8")
        entry.chmod(0o755)
    env = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "NB_PAT": stage.credential,
        "NB_MANAGEMENT_URL": stage.url, "RUNNER_TEMP": str(stage.folder / "temp"),
        "GITHUB_OUTPUT": str(stage.folder / "out"), "GITHUB_STEP_SUMMARY": str(stage.folder / "summary"),
        "GITHUB_ACTIONS": "true", "COMMAND": command, "ARGS": "\n".join(args), "SUMMARY": "true", **more,
    }  # fmt: skip
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPT]
    return subprocess.Popen(
        argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def code(stage: Stage, command: str, *args: str, **more: str) -> int:
    process = start(stage, command, *args, **more)
    said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said
    return process.returncode


def in_order(stage: Stage) -> int:
    return code(stage, "plan")


def incomplete(stage: Stage) -> int:
    stage.emulator.faults.add(
        Fault(Status(500, "no"), "GET", f"/api/users/{stage.bot}/tokens", times=None)
    )
    return code(stage, "plan")


def different(stage: Stage) -> int:
    return code(stage, "plan", "--detailed-exitcode")


def invalid(stage: Stage) -> int:
    stage.tokens_file("{name: a, expries_in: 3}")
    return code(stage, "validate")


def denied(stage: Stage) -> int:
    return code(stage, "plan", NB_PAT="nbp_" + "0" * 36)


def guarded(stage: Stage) -> int:
    stage.tokens_file("name: a", "name: b", "name: c")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: a")
    return code(stage, "apply", "--yes")


def stale(stage: Stage) -> int:
    return code(stage, "apply", "--approved-change", "sha256:0")


def locked(stage: Stage) -> int:
    stage.config("lock: {type: file, path: lock}\n")
    other = FileLock(stage.folder / "lock")
    other.take(Holder("id", "apply", who="somebody@else"))
    found = code(stage, "apply", "--yes")
    other.give_back()
    return found


def rolled_back(stage: Stage) -> int:
    stage.emulator.faults.add(Fault(Status(422, "no"), "POST", "*/tokens", times=None))
    return code(stage, "apply", "--yes")


def uncertain(stage: Stage) -> int:
    stage.emulator.faults.add(Fault(Drop(), "POST", "*/tokens", when="after"))
    return code(stage, "apply", "--yes")


def unhooked(stage: Stage) -> int:
    stage.config("hooks: {deploy: [['false']]}\n")
    return code(stage, "apply", "--yes")


def interrupted_by(number: int) -> Callable[[Stage], int]:
    def interrupted(stage: Stage) -> int:
        """The step's own process gets the signal while a token is being made; it is made, and stored."""
        stage.emulator.faults.add(Fault(Delay(1.0), "POST", "*/tokens", times=None))
        process = start(stage, "apply", "--yes")
        while not any(
            r.method == "GET" and r.path.endswith("/tokens") for r in stage.emulator.requests
        ):
            time.sleep(0.05)
        time.sleep(0.6)
        process.send_signal(number)
        process.communicate(timeout=60)
        assert list(stage.secrets()) == ["secrets/platform/a"]
        return process.returncode

    return interrupted


TABLE = {
    0: in_order, 1: incomplete, 2: different, 3: invalid, 4: denied, 5: guarded, 6: stale, 7: locked,
    8: rolled_back, 9: uncertain, 10: unhooked,
    130: interrupted_by(signal.SIGINT), 143: interrupted_by(signal.SIGTERM),
}  # fmt: skip


@pytest.mark.parametrize("wanted", TABLE)
def test_every_exit_code_is_that_of_the_step(stage: Stage, wanted: int) -> None:
    stage.tokens_file("name: a")
    assert TABLE[wanted](stage) == wanted


def test_nothing_in_the_checkout_runs_while_it_is_installed(tmp_path: Path) -> None:
    """It may be that of a pull request; and what is installed has no business with the credential."""
    step = next(step for step in ACTION["runs"]["steps"] if step["name"] == "Install")
    for name in ("venv.py", "pip.py", "ensurepip.py", "sitecustomize.py"):
        (tmp_path / name).write_text("open('ran', 'w').close()\n", "utf-8")
    env = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path / "temp"), "NB_PAT": "x",
           **step["env"], "SOURCE": str(tmp_path / "nothing"), "EXTRAS": ""}  # fmt: skip
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0  # there is nothing to install
    assert (tmp_path / "temp" / "netbird-tokens" / "bin" / "pip").exists()
    assert not (tmp_path / "ran").exists()
    assert env["NB_PAT"] == ""


def test_its_outputs_are_those_that_the_command_writes(stage: Stage) -> None:
    stage.tokens_file("name: a")
    code(stage, "plan")
    written = [line.partition("=")[0] for line in Path("out").read_text("utf-8").splitlines()]
    assert written == list(ACTION["outputs"])
    assert "### NetBird tokens" in Path("summary").read_text("utf-8")


def test_no_argument_is_read_by_a_shell(stage: Stage) -> None:
    stage.tokens_file("name: a")
    evil = "$(touch evil) `touch evil` ; touch evil * 'x"
    assert code(stage, "create", "--name", evil, "--user-id", "ci-bot", "--sink", "local") == 0
    assert evil in stage.live()
    assert not Path("evil").exists()


def test_the_summary_has_the_report_of_all_parts(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert code(stage, "plan", "--out", "plan.json") == 0
    assert code(stage, "apply", "plan.json", "--shard", "1/1", "--report", "json=part.json") == 0
    Path("summary").unlink()
    assert code(stage, "report", "merge", "part.json") == 0
    assert "2 done" in Path("summary").read_text("utf-8")


def test_a_command_without_a_report_is_not_asked_for_one(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert code(stage, "snapshot", "--out", "snapshot.json") == 0
    assert json.loads(Path("snapshot.json").read_text("utf-8"))["complete"] is True
    assert code(stage, "plan", SUMMARY="false") == 0
    assert not Path("summary").exists()
