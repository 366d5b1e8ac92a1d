"""Every failure that we expect, as one tree; each class knows its exit code, only the CLI acts on it.

    NetbirdTokensError
    |-- InputError            a file that people wrote is wrong; carries all problems
    |-- UsageError            a flag that does not fit
    |   `-- Unconfirmed       a question that was declined, or that nobody is there to answer
    |-- ApiError
    |   |-- Unauthenticated   our credential is refused, revoked or expired
    |   |-- Forbidden         our credential may not do this
    |   |-- Gone              the token or user asked for does not exist (proved by its exact message)
    |   |-- Rejected          the server understood and said no
    |   |-- Unavailable       nothing was done: not reached, or a read that kept failing
    |   |-- BadAnswer         an answer that no NetBird server gives
    |   `-- Uncertain         a write that may or may not have been carried out
    |-- SinkError
    |   |-- SinkRefused       definitely not written
    |   |-- SinkUnsure        may have been written
    |   `-- SinkUnread        could not look; never the same as "nothing there"
    |-- GuardStop             a guard or a protection needs a human's word
    |-- Unwritten             a plan or a report did not get into its file
    |-- PlanMismatch          the plan is stale, altered, or not the approved one
    |-- LockError
    |   |-- LockHeld          another run is at work
    |   |-- LockDenied        the lock's server does not let us
    |   `-- LockUnavailable   the lock's server could not be asked
    `-- HookFailed            the tokens are in order, a hook was not

Exit codes are a contract (DESIGN §7).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar, Protocol


class ExitCode(IntEnum):
    """What a finished command tells its caller; published, tested, never renumbered."""

    OK = 0
    ERROR = 1
    DIFFERENCES = 2
    USAGE = 3
    AUTH = 4
    STOPPED = 5
    STALE = 6
    LOCKED = 7
    ROLLED_BACK = 8
    UNCERTAIN = 9
    HOOK = 10
    INTERRUPTED = 130
    TERMINATED = 143


class NetbirdTokensError(Exception):
    """Root of the tree.

    Attributes:
        message: What happened and where, one sentence without a full stop.
        hint: What to try next; empty when the message already says it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ERROR

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Shown(Protocol):
    """What a problem in a file must offer so that it can be reported."""

    def __str__(self) -> str: ...


class InputError(NetbirdTokensError):
    """A file is wrong; `problems` lists everything that is wrong with it, not only the first."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Shown]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the input")
        self.problems = tuple(problems)


class UsageError(NetbirdTokensError):
    """The command line does not fit."""

    exit_code = ExitCode.USAGE


class Unconfirmed(UsageError):
    """A question was declined, or nobody was there to answer it. Nothing was changed."""


class ApiError(NetbirdTokensError):
    """The management API did not do what was asked."""


class Unauthenticated(ApiError):
    """401, or the 404 `invalid token: …` with which NetBird answers a revoked token."""

    exit_code = ExitCode.AUTH


class Forbidden(ApiError):
    """403: the credential is alive but its role does not reach this far."""

    exit_code = ExitCode.AUTH


class Gone(ApiError):
    """404 with exactly `pat: <id> not found` or `user: <id> not found` for the id asked about."""


class Rejected(ApiError):
    """Any other 4xx: sending it again would not help."""


class Unavailable(ApiError):
    """Not reached, rate limited, or a read that kept failing: nothing was changed."""


class BadAnswer(ApiError):
    """Something answered that is no NetBird management API: HTML, a redirect, broken JSON."""


class Uncertain(ApiError):
    """A write was sent and no answer came: it may have been carried out. Never send it again."""

    exit_code = ExitCode.UNCERTAIN


class SinkError(NetbirdTokensError):
    """A secret store did not do what was asked."""


class SinkRefused(SinkError):
    """The store definitely holds nothing of what was to be written."""


class SinkUnsure(SinkError):
    """The store may or may not hold what was to be written."""


class SinkUnread(SinkError):
    """The store could not be read; says nothing about what it holds."""


class GuardStop(NetbirdTokensError):
    """A guard or a protection holds until a human names the exception."""

    exit_code = ExitCode.STOPPED


class Unwritten(NetbirdTokensError):
    """A plan or a report did not get into its file, which is as it was. Nothing else is affected."""


class PlanMismatch(NetbirdTokensError):
    """The plan is stale, altered, made for another account, or not the approved one."""

    exit_code = ExitCode.STALE


class LockError(NetbirdTokensError):
    """The lock is not ours, or was not given back; nothing is ever begun without it."""


class LockHeld(LockError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class LockDenied(LockError):
    """401 or 403 from the lock's server, or a credential for it that is only half there."""

    exit_code = ExitCode.AUTH


class LockUnavailable(LockError):
    """The lock's server was not reached, or is no lock server, or lost track of us."""


class HookFailed(NetbirdTokensError):
    """Every token is in order; a hook that the operator configured failed."""

    exit_code = ExitCode.HOOK
