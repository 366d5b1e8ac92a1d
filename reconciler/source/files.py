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
        if not path.is_dir():
            files[path] = None
            continue
        try:
            found = _within(path)
        except OSError as error:
            why = error.strerror or type(error).__name__
            problems.append(
                _problem(path, "NB100", f"cannot read the folder: {why}", "check the path")
            )
            continue
        if leaves_its_folder(path):
            message = "this link leads out of its folder"
            problems.append(_problem(path, "NB100", message, "give the path it points to"))
        elif not found:
            message = "the folder holds no *.yaml or *.yml file"
            problems.append(_problem(path, "NB111", message, "check the path"))
        else:
            files.update(dict.fromkeys(found))
    return list(files), problems


def _within(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in _SUFFIXES and not path.name.startswith(".")
    )


def _problem(path: Path, code: str, message: str, fix: str) -> Problem:
    return Problem(code, Location(str(path), 1, 1), message, fix)
