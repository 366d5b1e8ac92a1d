"""What each exit code means and what to do next: the one source of `explain`, reports and last lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from reconciler.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Exit:
    """One exit code, for people.

    Attributes:
        meaning: A few words; the table in the README says the same.
        retry: Whether the same command may run again with nobody looking.
        next: The last line of a run that ended so; empty where there is nothing to do.
        more: The paragraph of `explain`: what it means, whether to retry, what to do.
    """

    meaning: str
    retry: bool
    next: str
    more: str


_AGAIN: Final = "Run the same command again: it picks up where this one stopped."
_ANEW: Final = "Run plan again, and have what is left approved: it has a change id of its own."
_INTERRUPTED: Final = (
    "A signal asked the run to stop. It started nothing new and finished what was in flight, so no "
    "secret hangs in the air. Retry: yes; the next run picks up where this one stopped."
)

EXITS: Final[Mapping[ExitCode, Exit]] = MappingProxyType(
    {
        ExitCode.OK: Exit(
            "in order",
            retry=False,
            next="",
            more="Everything that was asked for is so. `plan` says this also when something would "
            "change, unless `--detailed-exitcode` was given. There is nothing to retry.",
        ),
        ExitCode.ERROR: Exit(
            "an error, or an incomplete view",
            retry=True,
            next="Run the same command again: nothing is half done.",
            more="The server could not be reached or answered with nonsense, or some user's tokens or "
            "some sink could not be read. Could not look is never taken for nothing there: what depends "
            "on it was left alone, the rest was carried out, and nothing is half done. Retry: yes, a "
            "schedule does it by itself; if it stays, mend what the output names.",
        ),
        ExitCode.DIFFERENCES: Exit(
            "differences: `plan --detailed-exitcode`, `drift`",
            retry=False,
            next="",
            more="`plan --detailed-exitcode` found something that apply would change, or `drift` found "
            "that somebody changed the world behind the file's back. It is an answer, not a failure. "
            "Retry: no. Run `apply`, or put into the file what is meant to be so.",
        ),
        ExitCode.USAGE: Exit(
            "usage, an invalid file, or a question that was declined or could not be asked",
            retry=False,
            next="",
            more="The command line does not fit, a file is wrong, or a question was declined or could "
            "not be asked because there is no terminal. Nothing was changed. Retry: no, it would end "
            "the same. Mend what the message names; in a pipeline, add `--yes` or apply a saved plan.",
        ),
        ExitCode.AUTH: Exit(
            "authentication or permission",
            retry=False,
            next="Mend the credential, then run the same command again.",
            more="The credential is missing, refused, revoked or expired, or its user's role does not "
            "reach far enough. What was done before it was refused stays done. Retry: no, not before "
            "the credential is mended; `netbird-tokens doctor` says what is wrong with it.",
        ),
        ExitCode.STOPPED: Exit(
            "stopped by a guard or a protection",
            retry=False,
            next="Name the exception or change the file, then run the same command again.",
            more="A guard found the plan suspicious and nothing was changed, or single entries are "
            "blocked and everything else was carried out. Retry: no, a person decides. The output names "
            "the guard or the entries, and the flag that allows exactly that; there is no --force.",
        ),
        ExitCode.STALE: Exit(
            "the plan is stale, altered, or not the approved one",
            retry=False,
            next="Run plan again, have it reviewed, and apply that one.",
            more="The world or the file moved on after the plan was made, the plan is older than a day, "
            "was altered, or is for another account; or `--approved-change` names another change. "
            "Nothing was changed. Retry: no; plan again and have that one approved.",
        ),
        ExitCode.LOCKED: Exit(
            "another run holds the lock",
            retry=True,
            next="Run the same command again when the other run has ended.",
            more="Another run is at work on the same lock. Nothing was changed. Retry: yes, when that "
            "run has ended; `--lock-timeout SECONDS` waits for it.",
        ),
        ExitCode.ROLLED_BACK: Exit(
            "partial: what failed was rolled back",
            retry=True,
            next=_AGAIN,
            more="Some actions were carried out; those that failed changed nothing, or their new token "
            "was revoked before anybody could hold it. Retry: yes, the next run does what is missing. "
            "If the same action fails again, mend what its line says.",
        ),
        ExitCode.UNCERTAIN: Exit(
            "an orphan or an uncertain write is left; ids are printed",
            retry=True,
            next="Run the same command again: it finds out what is left and settles it.",
            more="An answer was lost on its way: a token may exist whose secret is in no sink, or a "
            "write may have arrived or not. The ids are printed as far as they are known. Retry: yes; "
            "the next run makes a new token where one is missing and, once the grace of 15 minutes is "
            "over, revokes the orphan. If it repeats, look at the sink and the network.",
        ),
        ExitCode.HOOK: Exit(
            "a hook or a notice failed",
            retry=True,
            next="Mend what failed if need be, then run the same command again; after `rotate`, run `apply`.",
            more="Every token is in order and every secret is stored, but a command under `hooks` in "
            "the config failed, so a consumer may not have the new secret yet. The receipts of these "
            "secrets say so. Retry: yes; every apply, renew and rotate, on any machine, calls the deploy "
            "hooks for what waits, until they succeed. Or the webhook under `notify` did not take a notice: "
            "one of drift is sent again by the next `drift`, one of a run is not.",
        ),
        ExitCode.INTERRUPTED: Exit(
            "interrupted (Ctrl-C)", retry=True, next=_AGAIN, more=_INTERRUPTED
        ),
        ExitCode.TERMINATED: Exit(
            "interrupted (SIGTERM, a closed terminal)", retry=True, next=_AGAIN, more=_INTERRUPTED
        ),
    }
)


def after_a_part(code: ExitCode) -> Exit:
    """The same of a run that an approved change id let in, and that did a part of what was approved."""
    said = EXITS[code]
    return replace(said, retry=False, next=_ANEW) if said.retry else said
