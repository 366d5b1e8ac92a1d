"""validate: the files of one set or of several, without any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.commands.desk import Desk
from reconciler.commands.output import Output
from reconciler.commands.record import Record
from reconciler.commands.reporting import Look, viewed
from reconciler.errors import ExitCode, InputError, Shown, UsageError
from reconciler.source.config import load_config
from reconciler.source.problems import told
from reconciler.wiring import CONFIG, TOKEN_FILES, Parts, Where


def sets_of(paths: Sequence[Path], where: Where, env: Mapping[str, str]) -> list[Parts | Path]:
    """The sets that these files are of, each once, and configs that have no set beside them.

    A folder called tokens is one set; a config is of the set beside it. Raises UsageError.
    """
    if where.files:
        raise UsageError("name the files with --file or without, not both")
    whole = dict.fromkeys(map(_whole, paths))
    return [
        each if each.name == CONFIG else Parts(replace(where, files=(each,)), env) for each in whole
    ]


def _whole(path: Path) -> Path:
    """The file or folder that is the whole set."""
    if path.name == CONFIG:
        beside = (path.parent / name for name in TOKEN_FILES)
        return next((each for each in beside if each.exists()), path)
    return path.parent if path.parent.name == TOKEN_FILES[-1] else path


def validate(sets: Sequence[Parts | Path], desk: Desk, output: Output) -> ExitCode:
    """Check every set, and every config that has none. Raises InputError with all problems of them all."""
    record = Record("validate", desk, output)

    def work() -> Look:
        said: list[str] = []
        problems: list[Shown] = []
        for each in sets:
            try:
                said.append(_config(each) if isinstance(each, Path) else _set(each, record))
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
        return Look({"text": lambda _: "".join(said)}, ExitCode.OK)

    return viewed(record, work)


def _set(parts: Parts, record: Record) -> str:
    loaded = parts.loaded
    record.set = loaded.token_set.name
    record.warnings = (*record.warnings, *loaded.warnings)
    for problem in told(loaded.warnings):
        record.desk.note(problem)
    found = loaded.token_set
    files = ", ".join(str(path) for path in parts.files)
    absent = f", {len(found.tombstones)} absent" if found.tombstones else ""
    return f"{files}: valid; set {found.name}, {len(found.specs)} tokens{absent}\n"


def _config(path: Path) -> str:
    load_config(path)
    return f"{path}: valid; there is no token file beside it\n"
