"""One stage for all tests that run commands: an emulated server, a folder, the command line."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.cli import run
from reconciler.emulator import Clock, Emulator, serve

SECRET = re.compile(r"nbp_[0-9A-Za-z]{36}")
HEAD = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: platform\ndefaults: {user: ci-bot}\n"


@dataclass
class Ran:
    code: int
    out: str
    err: str


@dataclass
class Stage:
    emulator: Emulator
    clock: Clock
    url: str
    us: str
    bot: str
    credential: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    def run(self, *argv: str) -> Ran:
        code = run(argv)
        out, err = self.capsys.readouterr()
        self.said += [out, err]
        return Ran(code, out, err)

    def tokens_file(self, *entries: str, head: str = HEAD) -> None:
        text = head + "tokens:\n" + "".join(f"  - {entry}\n" for entry in entries)
        (self.folder / "tokens.yaml").write_text(text, encoding="utf-8")

    def config(self, text: str) -> None:
        head = "apiVersion: netbird-tokens/v1\nkind: Config\n"
        (self.folder / ".netbird-tokens.yaml").write_text(head + text, encoding="utf-8")

    def live(self, user: str | None = None) -> dict[str, list[str]]:
        """Token ids by name, as the server has them."""
        found: dict[str, list[str]] = {}
        for token in self.emulator.tokens(user or self.bot):
            found.setdefault(token.name, []).append(token.id)
        return found

    def secrets(self) -> dict[str, str]:
        """Every secret below the folder, by path."""
        return {
            str(path.relative_to(self.folder)): path.read_text(encoding="utf-8")
            for path in sorted((self.folder / "secrets").rglob("*"))
            if path.is_file() and SECRET.fullmatch(path.read_text(encoding="utf-8"))
        }

    def writes(self) -> list[tuple[str, str]]:
        return [(r.method, r.path) for r in self.emulator.requests if r.method != "GET"]

    def pass_time(self, **delta: float) -> None:
        self.clock.advance(timedelta(**delta))


def command(stage: Stage, *argv: str) -> subprocess.Popen[str]:
    """The command line as a process of its own; stdout and stderr come as one stream."""
    env = {**os.environ, "NB_PAT": stage.credential}
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler", *argv],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=stage.folder,
    )  # fmt: skip


def piped(
    stage: Stage, line: str, *argv: str, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """The command below a shell, as `$@` of this line."""
    env = {**os.environ, "NB_PAT": stage.credential}
    shell = ["sh", "-c", line, "sh", sys.executable, "-m", "reconciler", *argv]
    return subprocess.run(
        shell, env=env, cwd=stage.folder, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def at_a_terminal(stage: Stage, answer: str, *argv: str) -> tuple[str, int]:
    """What a terminal shows, and the exit code, when the question gets this answer."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(stage.folder)
        os.execv(sys.executable, [sys.executable, "-m", "reconciler", *argv])  # noqa: S606 - no shell
    said = b""
    answered = False
    while True:
        if not select.select([terminal], [], [], 60)[0]:
            os.kill(child, signal.SIGKILL)  # it waits for what will never come
        try:
            said += os.read(terminal, 65536)
        except OSError:
            break
        if b"[y/N]" in said and not answered:
            os.write(terminal, answer.encode())
            answered = True
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def staged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Clock
) -> Iterator[Stage]:
    """A server of its own, with our user and a service user, and a folder to work in."""
    emulator = Emulator(clock=clock)
    us = emulator.add_user("reconciler", role="admin", service_user=True)
    bot = emulator.add_user("ci-bot", role="user", service_user=True)
    credential = emulator.issue(us, "bootstrap", days=365)
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    ours = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "NETBIRD_API_TOKEN", "NETBIRD_API_URL")
    ci = [f"GITHUB_{name}" for name in ("ACTIONS", "RUN_ID", "OUTPUT", "STEP_SUMMARY")]
    for name in (*ours, *ci, "CI_JOB_URL"):
        monkeypatch.delenv(name, raising=False)
    with serve(emulator) as url:
        monkeypatch.setenv("NB_PAT", credential)
        monkeypatch.setenv("NB_MANAGEMENT_URL", url)
        yield Stage(emulator, clock, url, us, bot, credential, folder, capsys)


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    with staged(tmp_path / "work", monkeypatch, capsys, Clock()) as stage:
        yield stage
