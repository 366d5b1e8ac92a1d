"""unlock: frees what a run that is gone left behind."""

from __future__ import annotations

from reconciler.commands.desk import Desk
from reconciler.errors import ExitCode, UsageError
from reconciler.wiring import Parts


def unlock(parts: Parts, desk: Desk, lock_id: str, *, yes: bool) -> ExitCode:
    """Free the lock that is held under an id, and under no other."""
    lock = parts.configured_lock()
    if lock is None:
        raise UsageError("no lock is configured", hint="name the config with --config")

    def confirm(question: str) -> None:
        if not yes:
            desk.confirm(question)

    desk.show(lock.unlock(lock_id, parts.this_run("unlock"), confirm))
    return ExitCode.OK
