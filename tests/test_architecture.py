"""The limits that keep the code readable; layers are contracts of import-linter (`make layers`)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "reconciler").rglob("*.py"))
FILE_LINES = 260  # the longest are click's option lists and the two file sinks
CORE_LINES = 205  # `world` and `rules` are each one idea; halves would be read together anyway
FUNCTION_LINES = 42
ARGUMENTS = 6


def functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    limit = CORE_LINES if "core" in path.parts else FILE_LINES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit
    for function in functions(path):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= FUNCTION_LINES, f"{function.name} has {lines} lines"
        given = function.args
        names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        assert len([n for n in names if n not in ("self", "cls")]) <= ARGUMENTS, function.name


def test_no_module_is_named_after_nothing() -> None:
    nothing = {"utils", "util", "helpers", "manager", "base", "types", "common", "misc"}
    assert [path for path in FILES if path.stem in nothing] == []


def test_there_is_no_dry_run() -> None:
    assert [p for p in FILES if "dry_run" in p.read_text(encoding="utf-8")] == []


def test_secrets_are_revealed_in_few_places() -> None:
    found = {
        str(path.relative_to(ROOT / "reconciler"))
        for path in FILES
        if re.search(r"\.reveal\(\)", path.read_text(encoding="utf-8"))
    }
    assert found <= {"sinks/conditions.py", "http/credential.py", "commands/create.py"}


@pytest.mark.parametrize("argv", [["version"], ["--help"], ["plan", "--help"]])
def test_version_and_help_import_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys; from reconciler.cli import run; run(sys.argv[1:]);"
        "heavy = {'requests', 'yaml', 'jsonschema', 'deepdiff', 'rich', 'boto3'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
