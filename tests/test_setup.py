"""The way in: init, doctor, and the credential in a file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from staging import HEAD, Stage

NAMES = ["x" * 70, "Ünï Ａ", "no", "123", "by-hand", "-", "a.b_c", "x" * 62 + "-y", "1e3"]


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_init_are_valid_whatever_the_folder_is_called(stage: Stage, name: str) -> None:
    Path(name).mkdir()
    assert stage.run("init", "--", name).code == 0
    ran = stage.run("validate", "-f", f"{name}/tokens.yaml")
    assert (ran.code, ran.err) == (0, "")
    assert "set by-hand" not in ran.out


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_no_file_has_the_name_of_the_tokens_that_were_made_by_hand(stage: Stage) -> None:
    """It would own, and revoke, what `create --sink` made."""
    stage.run("create", "--name", "x", "--user-id", "ci-bot", "--sink", "local")
    stage.tokens_file("name: y", head=HEAD.replace("platform", "by-hand"))
    ran = stage.run("apply", "--yes")
    assert ran.code == 3
    assert "must not be by-hand" in ran.err
    assert list(stage.live()) == ["x"]


@pytest.mark.parametrize("name", ["tokens.yaml", ".netbird-tokens.yaml", ".gitignore"])
@pytest.mark.parametrize("make", ["folder", "dangling", "pipe"])
def test_init_writes_all_or_nothing_and_follows_no_link(stage: Stage, name: str, make: str) -> None:
    path = stage.folder / name
    match make:
        case "folder":
            path.mkdir()
        case "dangling":
            path.symlink_to("../elsewhere")
        case _:
            os.mkfifo(path)
    before = listing(stage.folder.parent)
    ran = stage.run("init")
    assert ran.code == 3
    assert "nothing was written" in ran.err
    assert ran.out == ""
    assert listing(stage.folder.parent) == before


def test_init_in_a_folder_that_is_full_leaves_nothing(stage: Stage) -> None:
    """Two files are written, the third finds no room: a limit says what a disk would say."""
    ignored = "a\n" * 1000
    Path(".gitignore").write_text(ignored, "utf-8")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500));"
        "from reconciler.cli import run; sys.exit(run(['init']))"
    )
    argv = [sys.executable, "-B", "-c", code]
    done = subprocess.run(argv, cwd=stage.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "File too large; nothing was written" in done.stderr
    assert listing(stage.folder) == {".gitignore"}
    assert Path(".gitignore").read_text("utf-8") == ignored


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b"/secrets/\n"),
        (b"a", b"a\n/secrets/\n"),
        (b"\xff\xfe\xe9\n", b"\xff\xfe\xe9\n/secrets/\n"),
        (b"/secrets/\r\nb\r\n", b"/secrets/\r\nb\r\n"),
    ],
)
def test_init_adds_to_a_gitignore_in_any_encoding(stage: Stage, content: bytes, expected: bytes) -> None:
    Path(".gitignore").write_bytes(content)
    assert stage.run("init").code == 0
    assert Path(".gitignore").read_bytes() == expected


def test_the_order_of_the_readme(stage: Stage) -> None:
    ran = stage.run("doctor")
    assert ran.code == 0, ran
    assert "– token file: none here yet" in ran.out
    assert "✘" not in ran.out
    assert ran.out.endswith("next: `netbird-tokens init`\n")
    assert list(stage.folder.iterdir()) == []
    assert stage.run("init").code == 0
    ran = stage.run("doctor")
    assert ran.code == 0
    assert ran.out.endswith("next: `netbird-tokens plan`\n")
    assert stage.run("plan").code == 0
    assert stage.run("apply", "--yes").code == 0
    assert "Nothing to do" in stage.run("apply", "--yes").out


def test_doctor_with_a_file_that_is_named_and_not_there(stage: Stage) -> None:
    ran = stage.run("doctor", "-f", "tokns.yaml")
    assert ran.code == 3
    assert "✘ token file" in ran.out


def test_doctor_says_whether_the_schedule_suits_the_windows(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, renew: false, expires_in: 1}")
    outlasts = "✔ schedule: a run every 1 day; each renewal window outlasts a missed run"
    assert outlasts in stage.run("doctor").out
    stage.config("schedule: {every: 6h}\n")
    assert "✔ schedule: a run every 6 hours" in stage.run("doctor").out
    stage.tokens_file("name: a", "{name: b, expires_in: 2}", "{name: c, expires_in: 1}")
    stage.config("schedule: {every: 18h}\n")
    ran = stage.run("doctor")
    assert ran.code == 0
    assert "! schedule: a run every 18 hours; if one is missed, these may expire: " in ran.out
    assert "tokens.yaml:7, tokens.yaml:8" in ran.out


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o777])
def test_a_credential_that_everybody_may_open_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    monkeypatch.delenv("NB_PAT")
    path = stage.folder / "my pat"
    path.write_text(stage.credential, "utf-8")
    path.chmod(mode)
    ran = stage.run("list", "--token-file", "my pat")
    assert ran.code == 3
    assert f"(mode {mode:04o})" in ran.err
    assert "chmod 600 'my pat'" in ran.err
    for allowed in (0o400, 0o600, 0o640):
        path.chmod(allowed)
        assert stage.run("list", "--token-file", "my pat").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("content", [b"\xff\xfen\x00b\x00", b"nbp_\xe9"])
def test_a_credential_that_is_no_text(stage: Stage, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.delenv("NB_PAT")
    (stage.folder / "pat").write_bytes(content)
    (stage.folder / "pat").chmod(0o600)
    ran = stage.run("list", "--token-file", "pat")
    assert ran.code == 3
    assert "pat is no text" in ran.err


def test_a_credential_through_a_pipe(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NB_PAT")
    reading, writing = os.pipe()
    os.write(writing, f"\ufeff{stage.credential}\r\n".encode())
    os.close(writing)
    assert stage.run("list", "--token-file", f"/dev/fd/{reading}").code == 0
    os.close(reading)
