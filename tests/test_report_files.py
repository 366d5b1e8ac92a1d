"""Where results go: files that are replaced as a whole, streams that are written to, and lost ones."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from staging import Stage, piped

from reconciler.emulator import Call, Drop, Fault


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize(
    "argv",
    [
        ("apply", "--yes", "--report", "json=missing/r.json"),
        ("apply", "--yes", "--report", "json=."),
        ("apply", "--yes", "--report", "json=tokens.yaml/r.json"),
        ("apply", "--yes", "--report", "json=/proc/r.json"),
        ("apply", "--yes", "--report", "json=circle"),
        ("plan", "--out", "missing/plan.json"),
        ("status", "--report", "json=missing/r.json"),
        ("list", "--report", "json=missing/r.json"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_asked(
    stage: Stage, argv: tuple[str, ...]
) -> None:
    stage.tokens_file("name: a")
    Path("circle").symlink_to("circle")
    ran = stage.run(*argv)
    assert ran.code == 3
    assert "cannot be written; nothing was done" in ran.err
    assert stage.emulator.requests == []
    assert names() == ["circle", "tokens.yaml"]


def test_a_lost_report_hides_nothing_of_a_run_and_keeps_its_exit_code(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config("hooks: {failure: [[touch, paged]]}\n")
    folder = stage.folder / "reports"
    folder.mkdir()
    stage.emulator.faults.add(Fault(Call(folder.rmdir), "POST"))
    stage.emulator.faults.add(Fault(Drop(), "POST", when="after"))
    ran = stage.run("apply", "--yes", "--report", "json=reports/r.json", "--report", "json=kept.json")
    assert ran.code == 9
    assert "Applied: 1 done, 1 uncertain." in ran.out
    assert "left: a" in ran.out
    assert Path("paged").exists()
    assert "error: reports/r.json was not written: No such file or directory" in ran.err
    assert json.loads(Path("kept.json").read_text("utf-8"))["exit"]["code"] == 9


def test_a_run_in_order_whose_report_is_lost_exits_1(stage: Stage) -> None:
    stage.tokens_file("name: a")
    ran = stage.run("apply", "--yes", "--report", "json=/dev/full")
    assert ran.code == 1
    assert "Applied: 2 done." in ran.out
    assert "/dev/full was not written: No space left" in ran.err


@pytest.mark.parametrize(
    ("argv", "code"),
    [("plan", 1), ("plan --detailed-exitcode", 2), ("drift", 2), ("status", 1), ("list", 1)],
)
def test_a_look_whose_report_is_lost_is_shown_all_the_same(
    stage: Stage, argv: str, code: int
) -> None:
    stage.tokens_file("name: a")
    stage.emulator.issue(stage.bot, "by hand", days=3)
    shown = stage.run(*argv.split()).out
    ran = stage.run(*argv.split(), "--report", "json=/dev/full")
    assert (ran.code, ran.out) == (code, shown)
    assert "/dev/full was not written" in ran.err


def test_a_file_behind_a_link_is_replaced_and_keeps_its_mode(stage: Stage) -> None:
    stage.tokens_file("name: a")
    kept = stage.folder / "kept"
    kept.mkdir()
    (kept / "plan.json").write_text("old", "utf-8")
    (kept / "plan.json").chmod(0o640)
    for name, target in (("link", "kept/link"), ("kept/link", "plan.json"), ("new", "kept/new.json")):
        Path(name).symlink_to(target)
    assert stage.run("plan", "--out", "link", "--report", "json=new").code == 0
    assert Path("link").is_symlink()
    assert Path("kept/link").is_symlink()
    assert json.loads((kept / "plan.json").read_text("utf-8"))["format"] == "netbird-tokens/plan"
    assert json.loads((kept / "new.json").read_text("utf-8"))["format"] == "netbird-tokens/plan"
    assert stat.S_IMODE((kept / "plan.json").stat().st_mode) == 0o640


def test_a_pipe_with_a_name_is_written_to(stage: Stage) -> None:
    stage.tokens_file("name: a")
    os.mkfifo("pipe")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(Path("pipe").read_text("utf-8")))
    reader.start()
    assert stage.run("apply", "--yes", "--report", "json=pipe").code == 0
    reader.join()
    assert json.loads(heard[0])["exit"]["code"] == 0
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


@pytest.mark.parametrize("line", ['"$@" | cat', '"$@" > out; cat out', '"$@" 3>&1 >out; cat out'])
def test_our_own_stdout_is_written_to_whatever_it_is(stage: Stage, line: str) -> None:
    stage.tokens_file("name: a")
    place = "/dev/fd/3" if "3>" in line else "/dev/stdout"
    before = Path("/dev/stdout").readlink()
    ran = piped(stage, line, "plan", "--report", f"json={place}", "--report", "json=r.json")
    saved = Path("r.json").read_text("utf-8")
    assert saved in ran.stdout
    assert "Plan: 1 create" in ran.stdout.replace(saved, "")
    assert Path("/dev/stdout").readlink() == before


def test_a_plan_that_is_lost_is_an_error_in_every_report(stage: Stage) -> None:
    """Whatever the plan says: a pipeline must not go on with yesterday's."""
    stage.tokens_file("name: a")
    ran = piped(stage, '"$@"', "plan", "--out", "/dev/full", "--detailed-exitcode", "--report", "junit=r.xml",
                "--report", "events=e", "--report", "github-output=o")  # fmt: skip
    assert ran.returncode == 1
    assert "Plan: 1 create" in ran.stdout
    assert "/dev/full was not written: No space left" in ran.stderr
    assert "next:" not in ran.stderr
    assert json.loads(Path("e").read_text("utf-8").splitlines()[-1])["exit"]["code"] == 1
    assert "exit_code=1" in Path("o").read_text("utf-8")


def test_a_file_is_never_half_written(stage: Stage) -> None:
    stage.tokens_file("name: a")
    Path("plan.json").write_text("old", "utf-8")
    ran = piped(stage, 'ulimit -f 1; "$@"', "plan", "--out", "plan.json")
    assert ran.returncode == 1
    assert "Plan: 1 create" in ran.stdout
    assert "error: plan.json was not written: File too large" in ran.stderr
    assert Path("plan.json").read_text("utf-8") == "old"
    assert names() == ["plan.json", "tokens.yaml"]
