"""Terminals: colour, width, letters they do not have; and what help says there."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from staging import Stage, at_a_terminal

from reconciler.cli.app import app
from reconciler.cli.help import Command

SHOWN_TO_ALL = {"Files and server", "Output", "Exceptions, each by name"}


@pytest.mark.parametrize(
    ("env", "argv", "coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "0"}, [], False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"NETBIRD_TOKENS_COLOR": "always"}, [], True),
    ],
)
def test_colour_in_a_pipe(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str],
    argv: list[str],
    coloured: bool,
) -> None:
    stage.tokens_file("name: a")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in stage.run("plan", *argv).out) is coloured


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_colour_at_a_terminal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], coloured: bool
) -> None:
    stage.tokens_file("name: a")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    out, status = at_a_terminal(stage, "", "plan")
    assert status == 0
    assert ("\x1b[1mThe file asks for\x1b[0m" in out) is coloured
    assert "next: `netbird-tokens apply`" in out


def test_reports_in_files_have_neither_colour_nor_the_width_of_a_terminal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.emulator.issue(stage.bot, "a name that is long enough for a narrow terminal", days=3)
    narrow = ("--color", "always", "--report", "text=r.txt", "--user-id", "ci-bot")
    monkeypatch.setenv("COLUMNS", "60")
    shown = stage.run("list", *narrow).out
    kept = (stage.folder / "r.txt").read_text("utf-8")
    assert len(shown.splitlines()) == 3
    assert len(kept.splitlines()) == 2


def test_letters_that_the_terminal_does_not_have_are_no_error(stage: Stage) -> None:
    stage.tokens_file("name: a")
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    argv = [sys.executable, "-m", "reconciler", "plan"]
    done = subprocess.run(argv, env=env, cwd=stage.folder, capture_output=True, check=False)
    assert done.returncode == 0
    assert rb"platform  \u2192  http" in done.stdout


def leaves() -> list[tuple[str, ...]]:
    """Every command as it is typed; of a group each of its own."""
    groups = {name: each for name, each in app.commands.items() if isinstance(each, click.Group)}
    inner = [(name, each) for name, group in groups.items() for each in group.commands]
    return sorted([*inner, *((name,) for name in app.commands.keys() - groups.keys())])


@pytest.mark.parametrize("argv", leaves(), ids=" ".join)
def test_help_is_in_sections_and_ends_with_an_example(stage: Stage, argv: tuple[str, ...]) -> None:
    command: click.Command = app
    for name in argv:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert isinstance(command, Command)
    text = stage.run(*argv, "--help").out
    titles = [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[0] == "Options"
    assert titles[-1] == "Example"
    assert set(titles[1:-1]) <= SHOWN_TO_ALL
    assert text.rstrip().endswith(command.example)
    assert "\\b" not in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("name", sorted(app.commands))
def test_every_flag_says_what_it_does(name: str) -> None:
    flags = [each for each in app.commands[name].params if isinstance(each, click.Option)]
    for flag in flags:
        assert flag.help, flag.name
        assert flag.help[0].isupper(), flag.help
        assert flag.help.endswith("."), flag.help


def test_the_whole_help_names_every_command_once(stage: Stage) -> None:
    text = stage.run("--help").out
    for name in app.commands:
        assert text.count(f"\n  {name} ") == 1, name
    assert "Examples:" in text
    assert stage.run().out == text
