"""unlock: frees what a run that is gone left behind."""

from __future__ import annotations

from contextlib import ExitStack

from reconciler.commands.audit import by_hand, told, trail
from reconciler.commands.desk import Desk
from reconciler.errors import ExitCode, UsageError
from reconciler.reports.audit import Account, Deed
from reconciler.transaction import awake_or_not
from reconciler.wiring import Parts


def unlock(parts: Parts, desk: Desk, lock_id: str, *, yes: bool) -> ExitCode:
    """Free the lock that is held under an id, and under no other."""
    lock = parts.configured_lock()
    if lock is None:
        raise UsageError("no lock is configured", hint="name the config with --config")

    kept = trail(parts, "unlock")
    nobody = Account(parts.management_url.value, {"id": "", "name": ""})
    kept.knows(nobody, parts.now(), awake_or_not())
    deed = Deed("unlock", lock_id, "")

    def work() -> ExitCode:
        with ExitStack() as doing:

            def confirm(question: str) -> None:
                if not yes:
                    desk.confirm(question)
                kept.begins()
                doing.enter_context(told(kept, deed))

            desk.show(lock.unlock(lock_id, parts.this_run("unlock"), confirm))
        return ExitCode.OK

    return by_hand(kept, desk, work)
