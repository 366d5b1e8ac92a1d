"""What can go wrong with a call: for each, the memory after it, and what the caller gets to see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from memory import Memory, Op, bury

from reconciler.errors import (
    NetbirdTokensError,
    SinkRefused,
    SinkUnread,
    SinkUnsure,
    Unavailable,
    Uncertain,
)

WRITES = ("put", "write_receipt", "write_value", "note", "set_value", "stamp_of", "rewrite")
"""Between a look at the clock and these no machine sleeps for long."""


class HookFailed(NetbirdTokensError):
    """What a hook's exit code says. Nobody knows how far it came; as far as nothing, to be sure."""


def _follows_a_write(op: Op) -> bool:
    """An adapter that has written a part no longer says that nothing was written."""
    if op.what == "note":
        _, stamp = op.args[-1]
        return stamp is not None
    return op.what in ("write_value", "set_value", "drop_receipt")


Fault = tuple[str, Memory, type[NetbirdTokensError] | None]


def faults(op: Op, before: Memory, after: Memory, run: int) -> Iterator[Fault]:
    """What else can come of a call: a label, the memory, and the error; no error: the process died."""
    match op.writes:
        case "service":
            yield from _of_service(op, before, after)
        case "sink":
            if not _follows_a_write(op):
                yield "is refused", bury(before, run), SinkRefused
            yield "is carried out, the answer is lost", bury(after, run), SinkUnsure
            yield "is lost", bury(before, run), SinkUnsure
        case _ if op.what in ("tokens", "token"):
            yield "fails", before, Unavailable
        case _ if op.what in ("inventory", "read"):
            yield "fails", before, SinkUnread
        case "hook":
            yield "fails", before, HookFailed
            yield "succeeds, the run died", after, None
    if op.writes and op.what != "commit":
        yield "never comes: the run died", bury(before, run), None


def _of_service(op: Op, before: Memory, after: Memory) -> Iterator[Fault]:
    match op.what:
        case "create":
            yield "is not sent", before, Unavailable
            yield "is carried out, the answer is lost", after, Uncertain
            yield "is lost", before, Uncertain
        case "commit":  # the server goes on, or fails, whether or not the client is there
            yield "is carried out, the answer is lost", after, Uncertain
            yield "is carried out, the run died", after, None
            dropped = tuple(t for t in before.unlisted if t != op.args[0])
            yield "is lost", replace(before, unlisted=dropped), Uncertain
            yield "is lost, the run died", replace(before, unlisted=dropped), None
        case "revoke":
            yield "is not sent", before, Unavailable
            yield "is carried out, the answer is lost", after, Uncertain
