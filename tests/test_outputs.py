"""What people and programs see, word for word: each output against its file in `golden/`.

`make golden` writes them.
"""

from __future__ import annotations

import contextlib
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from gallery import GOLDEN, check, fill
from staging import Stage, staged

from reconciler import __version__
from reconciler.emulator import Clock

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SHOWN = {
    "plan.txt": ("plan",),
    "plan-80.txt": ("plan",),
    "plan-verbose.txt": ("plan", "--verbose"),
    "plan-colour.txt": ("plan", "--color", "always"),
    "plan.md": ("plan", "--format", "markdown"),
    "drift.txt": ("drift",),
    "drift-80.txt": ("drift",),
    "drift.md": ("drift", "--format", "markdown"),
    "status.txt": ("status",),
    "status-80.txt": ("status",),
    "status-verbose.txt": ("status", "--verbose"),
    "status.md": ("status", "--format", "markdown"),
    "list.txt": ("list", "--user-id", "ci-bot"),
    "list-80.txt": ("list", "--user-id", "ci-bot"),
    "list-verbose.txt": ("list", "--user-id", "ci-bot", "--verbose"),
    "list.md": ("list", "--user-id", "ci-bot", "--format", "markdown"),
    "inspect.txt": ("inspect",),
    "inspect.md": ("inspect", "--format", "markdown"),
    "import.yaml": ("import", "--user-id", "ci-bot"),
    "explain.txt": ("explain",),
}


REPORTED = {
    "formats/plan.junit.xml": ("plan", "junit"),
    "formats/plan.gitlab.json": ("plan", "gitlab"),
    "formats/plan.output": ("plan", "github-output"),
    "formats/plan.events.ndjson": ("plan", "events"),
    "formats/plan.annotations": ("plan", ""),
    "formats/drift.junit.xml": ("drift", "junit"),
    "formats/drift.prom": ("drift", "prometheus"),
    "formats/validate.codequality.json": ("validate", "gitlab-codequality"),
}


DOCTOR = ("doctor.txt", "doctor-wrong.txt")


class Heard:
    """What pytest's capsys does, for a fixture that outlives a test."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()

    def readouterr(self) -> tuple[str, str]:
        said = self.out.getvalue(), self.err.getvalue()
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        return said


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All outputs, of one account that is filled once."""
    heard: Any = Heard()
    clock = Clock(START)
    clock.freeze()
    folder = tmp_path_factory.mktemp("golden") / "work"
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(heard.out),
        contextlib.redirect_stderr(heard.err),
        staged(folder, patch, heard, clock) as stage,
    ):
        fill(stage)
        found = {}
        for name, argv in SHOWN.items():
            patch.setenv("COLUMNS", "80" if "-80" in name else "100")
            found[name] = stage.run(*_with_id(argv, stage)).out
        found |= {name: _reported(stage, *what) for name, what in REPORTED.items()}
    return found


def _reported(stage: Stage, command: str, form: str) -> str:
    """A report file, or what GitHub is told; without this machine's clock."""
    if not form:
        said = stage.run(command, "--ci", "github").err
        return "".join(f"{line}\n" for line in said.splitlines() if line.startswith("::"))
    path = stage.folder / "report"
    path.unlink(missing_ok=True)
    if command == "validate":
        stage.tokens_file("{name: a, expries_in: 3}", "{name: b, expires_on: 2020-01-01}")
    stage.run(command, "--report", f"{form}={path}")
    text = re.sub(r"(last_[a-z]+_timestamp_seconds\S*) \d+", r"\1 0", path.read_text("utf-8"))
    return re.sub(r'"at": "[^"]*"', '"at": "…"', text).replace(__version__, "…")


def _with_id(argv: tuple[str, ...], stage: Stage) -> list[str]:
    return [*argv, stage.live()["terraform"][0]] if argv[0] == "inspect" else list(argv)


@pytest.mark.parametrize("name", [*SHOWN, *REPORTED])
def test_what_people_see(outputs: dict[str, str], name: str) -> None:
    check(name, outputs[name])


def _without_types(said: str) -> str:
    """What depends on the packages that are installed here is not shown."""
    return "".join(line for line in said.splitlines(keepends=True) if "sink types" not in line)


def test_what_doctor_finds(stage: Stage) -> None:
    """By a clock that agrees with the server's, and after everything went wrong that it looks at."""
    stage.config("lock: {type: file, path: run.lock}\nschedule: {every: 6h}\n")
    stage.tokens_file("name: a", "{name: b, expires_in: 1}")
    ran = stage.run("doctor", "--show-config")
    assert ran.code == 0
    assert "✔ sink types: " in ran.out
    check("doctor.txt", _without_types(ran.out))
    stage.config(
        "sinks: {local: {type: file, path: secrets}}\n"
        "lock: {type: http, url: 'http://127.0.0.1:9/lock'}\n"
    )
    (stage.folder / "secrets").write_text("not a folder", "utf-8")
    stage.tokens_file("{name: a, expries_in: 3}")
    stage.emulator.set_role(stage.us, "network_admin")
    stage.pass_time(hours=2, minutes=30)
    ran = stage.run("doctor")
    assert ran.code == 4
    check("doctor-wrong.txt", _without_types(ran.out).replace(str(stage.folder), "/srv/acme"))


@pytest.mark.parametrize(
    ("name", "width"), [("plan-80.txt", 80), ("plan.txt", 100), ("status-80.txt", 80),
                        ("status.txt", 100), ("drift.txt", 100), ("list-80.txt", 80)],
)  # fmt: skip
def test_lines_fit_the_terminal(outputs: dict[str, str], name: str, width: int) -> None:
    wide = [line for line in outputs[name].splitlines() if len(line) > width]
    assert all("a-name-that-somebody-made" in line for line in wide)  # a word is never cut


def test_forty_unmanaged_tokens_are_one_line_and_all_there_in_full(outputs: dict[str, str]) -> None:
    assert outputs["plan.txt"].count("test-") == 4
    assert outputs["plan-verbose.txt"].count("test-") == 34


def test_every_golden_file_is_drawn() -> None:
    runs = {f"runs/{path.name}" for path in (GOLDEN / "runs").iterdir()}
    drawn = SHOWN.keys() | REPORTED.keys() | runs | {*DOCTOR}
    kept = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*") if path.is_file()}
    assert kept == drawn
