"""A writer of encrypted files that is killed, or whose disk fails, at each of its steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tracing
from boxes import KEY, Box, receipt
from orders import Ended, Writer, writing
from sealing import needed
from tracing import Call
from writer import Order

from reconciler.core.receipts import ABSENT, Absent, Lookup, Stored
from reconciler.core.tokens import TokenId

STEPS = ("mkdirat", "fchmod", "fsync", "renameat", "renameat2", "unlinkat")


@pytest.fixture
def writer() -> Iterator[Writer]:
    needed("age")
    tracing.needed()
    with writing() as found:
        yield found


def begun(folder: Path, act: str) -> Box:
    folder.mkdir(mode=0o700)
    box = Box(folder, "age")
    if act != "put":
        box.put(1)
    return box


def order(box: Box, act: str) -> Order:
    number = 2 if act in ("put", "renew") else 1
    version = ABSENT if act == "put" else box.version()
    act = "put" if act == "renew" else act
    return Order("age", str(box.folder.parent), act, number=number, version=version, waits=True)


def steps(writer: Writer, tmp_path: Path, act: str) -> list[Call]:
    box, log = begun(tmp_path / "whole", act), tmp_path / "log"
    assert writer.traced(order(box, act), log) == Ended("done", 0)
    return [call for call in tracing.calls(log) if call.name in STEPS]


def allowed(act: str) -> set[str]:
    """Whose token may be there; empty: nothing."""
    return {"put": {"", "tok2"}, "renew": {"tok1", "tok2"}, "amend": {"tok1"}, "delete": {"", "tok1"}}[act]


def named(held: Lookup) -> str:
    assert isinstance(held, Stored | Absent), held
    return held.receipt.token.id if isinstance(held, Stored) else ""


def check_healed(box: Box) -> None:
    held = box.sink.read(KEY)
    box.put(3, expect=ABSENT if isinstance(held, Absent) else box.version())
    assert box.sink.read(KEY) == Stored(receipt(3), box.version())
    assert box.sink.delete(KEY, TokenId("tok3"))
    assert [each for each in box.folder.rglob("*") if each.suffix in (".tmp", ".age")] == []


@pytest.mark.parametrize("act", ["put", "renew", "amend", "delete"])
def test_killed_or_failed_at_each_step(writer: Writer, tmp_path: Path, act: str) -> None:
    every = steps(writer, tmp_path, act)
    assert {call.name for call in every} & {"renameat", "renameat2", "unlinkat"}
    for number, step in enumerate(every):
        for fault in ("signal=SIGKILL", "error=EIO"):
            print(f"{fault} at {step}: {step.text}")  # noqa: T201 - shown when a check fails
            box = begun(tmp_path / f"{number}{fault}", act)
            before = named(box.sink.read(KEY))
            inject = f"{step.name}:{fault}:when={step.number}"
            ended = writer.traced(order(box, act), tmp_path / "log", inject)
            assert ended == Ended("", -signal.SIGKILL) if "KILL" in fault else ended.status == 0
            after = named(box.sink.read(KEY))
            assert after in allowed(act)
            if ended.said.startswith("refused"):
                assert after == before
            check_healed(box)
