"""The README and the examples say what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from staging import Stage

from reconciler.cli.app import app
from reconciler.errors import ExitCode
from reconciler.reports.exits import EXITS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


def test_the_files_of_the_readme_are_valid(stage: Stage) -> None:
    tokens, config, *locks = YAML
    (stage.folder / "tokens.yaml").write_text(tokens, encoding="utf-8")
    (stage.folder / ".netbird-tokens.yaml").write_text(config, encoding="utf-8")
    ran = stage.run("validate")
    assert (ran.code, ran.err) == (0, "")
    assert len(locks) == 2
    for lock in locks:
        stage.config(lock)
        assert stage.run("validate").code == 0


def test_every_command_is_in_the_readme_and_has_an_example() -> None:
    table = README.split("## Commands")[1].split("## Exit codes")[0]
    for name, command in app.commands.items():
        assert f"`{name}" in table, name
        assert f"netbird-tokens {name}" in command.example, name


@pytest.mark.parametrize("name", sorted(app.commands))
def test_the_example_in_every_help_text_runs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NETBIRD_TOKENS_FAST", "1")
    if name != "init":
        stage.tokens_file("name: terraform")
        stage.run("plan", "--out", "plan.json")
    if name == "rotate":
        stage.run("apply", "--yes")
    if name == "report":
        stage.run("plan", "--out", "plan.json")
        for part, file in (("1/2", "one"), ("2/2", "two")):
            stage.run("apply", "plan.json", "--shard", part, "--report", f"json={file}.json")
    line = app.commands[name].example.removeprefix("source <(").removesuffix(")").split(" > ")[0]
    argv = shlex.split(line)[1:] + (["--yes"] if name == "rotate" else [])
    asks_or_misses = {"apply": 3, "revoke": 3, "drift": 2, "plan": 2}
    asks_or_misses |= dict.fromkeys(("inspect", "unlock", "import"), 3)
    ran = stage.run(*argv)
    assert ran.code == asks_or_misses.get(name, 0), ran
    assert "Usage:" not in ran.err


def test_a_clock_that_is_off_is_mentioned(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert "clock" not in stage.run("plan").err
    stage.pass_time(hours=2, minutes=5)
    assert "clock is 2 hours off" in stage.run("plan").err


def test_the_readme_and_explain_say_the_same_of_every_exit_code() -> None:
    table = README.split("## Exit codes")[1].split("##")[0]
    rows = re.findall(r"^\| (\d+) \| (yes|no|) \| (.*) \|$", table, re.MULTILINE)
    written = [(int(code), again == "yes", meaning) for code, again, meaning in rows]
    assert written == [(int(code), told.retry, told.meaning) for code, told in EXITS.items()]
    assert set(EXITS) == set(ExitCode)


def test_the_map_names_what_is_there() -> None:
    block = README.split("## A map of the code")[1].split("```")[1]
    for name in re.findall(r"\b([a-z]+(?:\.py|/))", block):
        assert (ROOT / "reconciler" / name).exists() or (ROOT / name).exists(), name


@pytest.mark.parametrize("tokens", sorted((ROOT / "examples").glob("*/tokens.yaml")), ids=str)
def test_examples_apply(stage: Stage, tokens: Path) -> None:
    folder = tokens.parent
    for name in ("tokens.yaml", ".netbird-tokens.yaml"):
        text = (folder / name).read_text(encoding="utf-8")
        (stage.folder / name).write_text(text, encoding="utf-8")
    assert stage.run("apply", "--yes").code == 0
    assert len(stage.secrets()) == 3
    assert "Nothing to do" in stage.run("apply", "--yes").out


def test_init_makes_files_that_work(stage: Stage) -> None:
    assert stage.run("init").code == 0
    assert stage.run("validate").code == 0
    assert stage.run("apply", "--yes").code == 0
    assert "/secrets/" in Path(".gitignore").read_text(encoding="utf-8")
    assert stage.run("init").code == 3


def test_import_adopts_without_replacing(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "one: #1", days=30)
    stage.emulator.issue(stage.bot, "two", days=90)
    ran = stage.run("import", "--user-id", "ci-bot", "--name", "legacy")
    (stage.folder / "tokens.yaml").write_text(ran.out, encoding="utf-8")
    stage.emulator.requests.clear()
    ran = stage.run("apply", "--yes")
    assert ran.code == 0
    assert stage.writes() == []
    assert "2 unchanged" in ran.out


def test_demo_tells_the_story(stage: Stage) -> None:
    ran = stage.run("demo", "--fast")
    assert ran.code == 0
    for word in ("created", "made by hand", "renewed", "both work until", "revoked", "never used"):
        assert word in ran.out
