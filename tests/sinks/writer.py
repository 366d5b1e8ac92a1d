"""Writes to a sink in a process of its own for each order, so that the process can be killed.

Lines in: an `Order` as JSON. Lines out: `pid N` if it waits for SIGUSR1 before it begins, `done`,
`refused …`, `unsure …` or `unread …` when it is through, and always `ended N`, the exit status.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import boxes
from boxes import KEY, REGISTRATION, Box, receipt

import reconciler.sinks.file  # noqa: F401 - loaded before user and limits change
from reconciler.core.tokens import TokenId
from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure

_PR_SET_PTRACER = 0x59616D61
_ANYBODY = -1
SEEN = "seen"
_WORDS = {SinkRefused: "refused", SinkUnsure: "unsure", SinkUnread: "unread"}


@dataclass(frozen=True)
class Order:
    """What one process shall do.

    Attributes:
        act: A method of a sink.
        keys: For `put`: these, one after the other, each with the secret of `number`.
        version: What the plan saw; None: look just before each write; `SEEN`: look before waiting.
        waits: Whether to wait for SIGUSR1.
        uid: As which user; 0 changes nothing.
        most: Bytes that a file may have; 0: no limit.
    """

    form: str
    folder: str
    act: str
    number: int = 1
    keys: tuple[str, ...] = (KEY,)
    version: str | None = None
    waits: bool = False
    uid: int = 0
    most: int = 0


def carry_out(order: Order, box: Box) -> None:
    match order.act:
        case "put":
            for key in order.keys:
                box.sink.put(
                    key, boxes.secret(order.number), receipt(order.number), _version(box, order, key)
                )
        case "amend":
            changed = receipt(order.number, protect=True)
            box.sink.amend(KEY, changed, _version(box, order, KEY))
        case "delete":
            box.sink.delete(KEY, TokenId(f"tok{order.number}"))
        case "register":
            box.sink.register(REGISTRATION)
        case "inventory":
            box.sink.inventory([KEY])
        case "preflight":
            box.sink.preflight(KEY)
        case _:
            raise ValueError(order.act)


def _version(box: Box, order: Order, key: str) -> boxes.Version:
    return box.version(key) if order.version is None else boxes.Version(order.version)


def _alone(order: Order) -> None:
    box = Box(Path(order.folder), order.form)
    if order.version == SEEN:  # versions are of one process
        order = replace(order, version=box.version(KEY))
    if order.waits:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
        _say(f"pid {os.getpid()}")
        signal.sigwait({signal.SIGUSR1})
    if order.most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.most, order.most))
    if order.uid:
        os.setgroups([])
        os.setgid(order.uid)
        os.setuid(order.uid)
    try:
        carry_out(order, box)
        _say("done")
    except SinkError as error:
        _say(f"{_WORDS[type(error)]} {error.message}; {error.hint}")


def _say(text: str) -> None:
    os.writev(1, [f"{text}\n".encode()])  # not `write`: that may be made to fail


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _alone(Order(**json.loads(line)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        _say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
