"""scan: real tokens in files of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.commands.desk import Desk
from reconciler.errors import ExitCode, InputError
from reconciler.source.text import scanned


def scan(desk: Desk, paths: Sequence[Path]) -> ExitCode:
    """Look for real tokens in files of any kind. Raises InputError with the place of each."""
    problems = [problem for path in paths for problem in scanned(path)]
    if problems:
        raise InputError(problems)
    desk.show(f"{len(paths)} file{'s' if len(paths) > 1 else ''}: no NetBird token")
    return ExitCode.OK
