"""The audit log: a line before and after everything that is done to a token, kept whatever comes.

No action begins whose line is not on the disk. So a log that cannot be written ends a run; it never
runs on in silence.
"""

from __future__ import annotations

import fcntl
import os
import stat
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.commands.output import complain
from reconciler.core.changes import Effect
from reconciler.core.outcome import Result, Status
from reconciler.core.people import Directory
from reconciler.core.plan import Plan
from reconciler.core.tokens import TokenId, User
from reconciler.errors import (
    ExitCode,
    NetbirdTokensError,
    SinkUnsure,
    Uncertain,
    Unwritten,
    UsageError,
)
from reconciler.reports import audit
from reconciler.reports.audit import Account, Deed, End
from reconciler.source.git import head_of
from reconciler.surroundings import job_of, who_runs
from reconciler.transaction import awake_or_not
from reconciler.wiring import Parts

_STATUS: Final = {
    ExitCode.OK: Status.DONE,
    ExitCode.ROLLED_BACK: Status.ROLLED_BACK,
    ExitCode.UNCERTAIN: Status.UNCERTAIN,
}
_BROKE_OFF: Final = End(Status.UNCERTAIN.value, "the run broke off")


class AuditLog:
    """One file that only grows; several processes may share it. A line is written in one piece.

    It is opened for each line, so that it may be moved away while a run goes on.
    """

    def __init__(self, path: Path) -> None:
        """Prove that it can be written, or make it, for us alone to read. Raises UsageError."""
        self._path = path
        try:
            with self._opened():
                _settle(path.parent)
        except OSError as error:
            raise UsageError(
                f"the audit log {path} cannot be written: {error.strerror}; nothing was done",
                hint="mend that, or change `audit_log` in the config",
            ) from None

    def append(self, line: str) -> None:
        """Add a line, and have it on the disk. Raises Unwritten."""
        try:
            with self._opened() as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
                _add(file, line.encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise Unwritten(
                f"the audit log {self._path} was not written: {error.strerror}",
                hint="mend that, then run the same command again",
            ) from None

    def _opened(self) -> FileIO:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        number = os.open(self._path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise OSError(0, "it is no file")
        return FileIO(number, "r+")


def _add(file: FileIO, line: bytes) -> None:
    size = file.seek(0, os.SEEK_END)
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        line = b"\n" + line  # what was cut off stays a line of its own
    if file.write(line) != len(line):
        raise OSError(0, "only a part of a line was")


def _settle(folder: Path) -> None:
    """Have the name of a new file on the disk, too."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Trail:
    """What one run leaves in the log; nothing where the config names none. Threads may share it."""

    def __init__(self, log: AuditLog | None, run: audit.Run) -> None:
        self._log = log
        self._run = run
        self._account: Account | None = None
        self._since: Callable[[], datetime] | None = None
        self._has_begun = False
        self._open: set[Deed] = set()
        self.lost: list[Unwritten] = []

    def knows(self, account: Account, as_of: datetime, looked: float) -> None:
        """Take note of where the run acts; `as_of` was the server's time at `looked` of our own clock."""
        self._account = account
        self._since = lambda: as_of + timedelta(seconds=awake_or_not() - looked)

    def begins(self) -> None:
        """Before anything is done. Raises Unwritten: then nothing was done, and nothing is."""
        self._append(lambda at, account: audit.of_run(at, self._run, account))
        self._has_begun = True

    def starts(self, deed: Deed) -> None:
        """Before an action. Raises Unwritten: it must not begin."""
        self._append(lambda at, account: audit.of_deed(at, self._run, account, deed))
        self._open.add(deed)

    def starts_effect(self, effect: Effect) -> None:
        """The same for an effect of a plan."""
        self.starts(audit.deed_of(effect))

    def ends(self, deed: Deed, end: End) -> None:
        """After it, or where it was passed over. What is done is done: a lost line is kept in `lost`."""
        self._open.discard(deed)
        self._add(lambda at, account: audit.of_deed(at, self._run, account, deed, end))

    def ends_effect(self, result: Result) -> None:
        """The same for an effect of a plan."""
        self.ends(audit.deed_of(result.effect), audit.end_of(result))

    def closes(self, code: ExitCode) -> None:
        """After the last action, if `begins` was called; an action that broke off ends here."""
        if not self._has_begun:
            return
        for deed in sorted(self._open, key=repr):
            self.ends(deed, _BROKE_OFF)
        code = code or (ExitCode.ERROR if self.lost else ExitCode.OK)
        self._add(lambda at, account: audit.of_run(at, self._run, account, code))

    def _add(self, line: Callable[[datetime, Account], str]) -> None:
        try:
            self._append(line)
        except Unwritten as error:
            self.lost.append(error)

    def _append(self, line: Callable[[datetime, Account], str]) -> None:
        if self._log is not None and self._account is not None and self._since is not None:
            self._log.append(line(self._since(), self._account))


def trail(parts: Parts, command: str) -> Trail:
    """The audit log of the config, open. Raises UsageError if it cannot be written."""
    path = parts.config.audit_log
    log = AuditLog(parts.config.base / path) if path is not None else None
    job = job_of(parts.env)
    actor = job.actor or who_runs()
    # A job may check out what its branch says by now, and not the commit that set it off.
    commit = (job.root and log and head_of(Path(job.root))) or job.commit
    return Trail(log, audit.Run(str(uuid.uuid4()), command, actor, job.url, commit))


def account_of(plan: Plan) -> Account:
    """Where a plan is carried out, and which it is."""
    name = plan.users.get(plan.principal, plan.principal)
    principal = plan.principal
    return Account(
        plan.server, {"id": principal, "name": name}, plan.set, plan.change_id, plan.plan_id
    )


class Doing:
    """One action, between its two lines."""

    def __init__(self) -> None:
        self.made: TokenId | None = None
        self.code = ExitCode.OK


@contextmanager
def told(kept: Trail, deed: Deed) -> Iterator[Doing]:
    """Do one action; what it made and how it ended is told to what this gives.

    Raises:
        Unwritten: It must not begin.
    """
    kept.starts(deed)
    doing = Doing()
    try:
        yield doing
    except BaseException as error:
        kept.ends(deed, replace(_end_by(error), made=doing.made))
        raise
    kept.ends(deed, End(_STATUS.get(doing.code, Status.FAILED).value, "", doing.made))


def _end_by(error: BaseException) -> End:
    if not isinstance(error, NetbirdTokensError):
        return _BROKE_OFF
    unsure = isinstance(error, Uncertain | SinkUnsure)
    return End((Status.UNCERTAIN if unsure else Status.FAILED).value, error.message)


def by_hand(kept: Trail, desk: Desk, work: Callable[[], ExitCode]) -> ExitCode:
    """Do what a person asked for. Whatever ends it, the log has the exit code; what it lost is said."""
    try:
        code = work()
    except BaseException as error:
        kept.closes(code_of(error))
        complain(desk, kept.lost[:1], ExitCode.ERROR)
        raise
    kept.closes(code)
    return complain(desk, kept.lost[:1], code)


def code_of(error: BaseException) -> ExitCode:
    """With what the process exits that ends by this."""
    match error:
        case NetbirdTokensError():
            return error.exit_code
        case KeyboardInterrupt():
            return ExitCode.INTERRUPTED
        case SystemExit():  # of `signals`, for all others
            return ExitCode.TERMINATED
        case _:
            return ExitCode.ERROR


def account_by_hand(parts: Parts, users: Sequence[User]) -> Account:
    """Where a command acts that no file asked for."""
    principal = Directory(users).principal
    return Account(parts.endpoint.url, {"id": principal.id, "name": principal.name or principal.id})
