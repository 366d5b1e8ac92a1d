"""The operator's commands after a run. Their argv comes from the config alone, never from a plan."""

from __future__ import annotations

import os
import subprocess
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.changes import Create, Renew
from reconciler.core.outcome import Outcome, Status
from reconciler.core.subjects import name_of
from reconciler.errors import ExitCode
from reconciler.source.config import Argv, Hooks

_TIMEOUT: Final = 300.0
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER")
"""A hook sees these and no more: no credential of ours is ever in a child's environment."""


def run(wanted: Hooks, outcome: Outcome, desk: Desk, code: ExitCode) -> ExitCode:
    """Run what fits the outcome: `deploy` after secrets were stored, `failure` after a failed run."""
    stored = [
        name_of(result.effect)
        for result in outcome.results
        if result.status is Status.DONE and isinstance(result.effect, Create | Renew)
    ]
    commands = list(wanted.deploy) if stored else []
    if code is not ExitCode.OK:
        commands.extend(wanted.failure)
    failed = [argv for argv in commands if not _succeeds(argv, stored, desk)]
    return ExitCode.HOOK if failed else ExitCode.OK


def _succeeds(argv: Argv, stored: list[str], desk: Desk) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the config
            argv,
            input="".join(f"{name}\n" for name in stored),
            env={name: os.environ[name] for name in _INHERITED if name in os.environ},
            text=True,
            timeout=_TIMEOUT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        desk.note(f"hook {argv[0]} failed: {type(error).__name__}; the tokens are in order")
        return False
    if done.returncode:
        desk.note(
            f"hook {argv[0]} failed with exit code {done.returncode}; the tokens are in order"
        )
    return done.returncode == 0
