"""Which files make a set: the files given, and of each folder given its visible *.yaml and *.yml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reconciler.core.spec import Location
from reconciler.source.problems import Problem
from reconciler.source.text import leaves_its_folder

_SUFFIXES: Final = frozenset((".yaml", ".yml"))


def token_files(paths: Sequence[Path]) -> tuple[list[Path], list[Problem]]:
    """Every file to read, each once and in order, and the paths that give none."""
    files: dict[Path, None] = {}
    problems: list[Problem] = []
    if not paths:
        problems.append(
            _problem(Path(), "NB111", "no token file is given", "name a file or a folder")
        )
    for path in paths:
        found = _found(path)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            files.update(dict.fromkeys(found))
    return list(files), problems


def _found(path: Path) -> list[Path] | Problem:
    try:
        if not path.is_dir():
            return [path]
        if leaves_its_folder(path):
            message = "this link leads out of its folder"
            return _problem(path, "NB100", message, "give the path it points to")
        found = sorted(file for file in path.iterdir() if _is_visible_yaml(file))
    except OSError as error:
        why = error.strerror or type(error).__name__
        return _problem(path, "NB100", f"cannot read the folder: {why}", "check the path")
    if not found:
        return _problem(path, "NB111", "the folder holds no *.yaml or *.yml file", "check the path")
    return found


def _is_visible_yaml(file: Path) -> bool:
    return file.suffix in _SUFFIXES and not file.name.startswith(".")


def _problem(path: Path, code: str, message: str, fix: str) -> Problem:
    return Problem(code, Location(str(path), 1, 1), message, fix)
