"""A writer that is killed at each of its system calls, or whose calls fail, one after the other.

Seen from outside: what a consumer reads is the old secret or the new one and whole, no receipt
vouches for another value, what belongs to others stays, and the next write heals everything.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import tracing
from boxes import FORMATS, KEY, REGISTRATION, Box, receipt, secret
from orders import Ended, Writer, writing
from tracing import Call
from writer import SEEN, Order

from reconciler.core.receipts import ABSENT, Absent, Damaged, Lookup, Receipt, Registration, Stored
from reconciler.core.tokens import TokenId

ACTS = ("put", "renew", "amend", "delete", "register")
FOREIGN = {"raw": b"", "dotenv": b"# mine\nOTHER='x y'\n", "json": b'{"OTHER": {"x": [1]}}'}
EARLIER = replace(REGISTRATION, server="https://old.example")


@dataclass(frozen=True)
class Seen:
    """What there is, from outside and from inside."""

    value: str | None
    held: Lookup
    registration: Registration | None

    @property
    def receipt(self) -> Receipt | None:
        return self.held.receipt if isinstance(self.held, Stored | Damaged) else None


@pytest.fixture
def writer() -> Iterator[Writer]:
    tracing.needed()
    with writing() as found:
        yield found


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    return request.param


def begun(folder: Path, form: str, act: str) -> Box:
    """The sink as it is before the act."""
    folder.mkdir(mode=0o700)
    box = Box(folder, form)
    if act == "put":
        return box
    if form != "raw":
        box.write(FOREIGN[form])
    box.put(1)
    box.sink.register(EARLIER)
    return box


def order(box: Box, act: str, *, waits: bool = True) -> Order:
    folder = str(box.folder.parent)
    match act:
        case "put":
            return Order(box.form, folder, "put", number=2, version=ABSENT, waits=waits)
        case "renew":
            return Order(box.form, folder, "put", number=2, version=SEEN, waits=waits)
        case _:
            return Order(box.form, folder, act, number=1, version=SEEN, waits=waits)


def seen(box: Box) -> Seen:
    known = box.sink.inventory([KEY]).registrations
    return Seen(consumed(box), box.sink.read(KEY), known.get(REGISTRATION.set))


def consumed(box: Box) -> str | None:
    """What a consumer gets, without our code."""
    try:
        content = box.file.read_text()
    except FileNotFoundError:
        return None
    match box.form:
        case "raw":
            return content
        case "dotenv":
            lines = [line for line in content.splitlines() if line.startswith(f"{KEY}=")]
            return lines[-1].removeprefix(f"{KEY}=") if lines else None
        case _:
            return json.loads(content).get(KEY)


def steps(writer: Writer, tmp_path: Path, form: str, act: str) -> list[Call]:
    """Every call of this act after which something may be different."""
    box, log = begun(tmp_path / "whole", form, act), tmp_path / "log"
    assert writer.traced(order(box, act), log) == Ended("done", 0)
    found = [call for call in tracing.calls(log) if call.changes]
    names = [call.name.removesuffix("2") for call in found if call.name != "fchown"]
    drafted, published = ["openat", "fchmod", "write", "fsync"], ["renameat", "fsync"]
    expected = ["flock", *drafted, *published]
    if form == "raw" and act == "delete":
        expected = ["flock", "unlinkat", "unlinkat", "fsync"]
    if form == "raw" and act in ("put", "renew"):
        first = names.index("fchmod") - 1
        assert names[first : first + 8] == [*drafted, *drafted]  # before anybody has to wait
        expected = ["flock", *published, *published]
    assert names[-len(expected) :] == expected
    return found


def check_whole(before: Seen, after: Seen, act: str, form: str) -> None:
    """Nothing is torn, and no receipt vouches for a value that is not its own."""
    old, new = (None, secret(2).reveal()) if act == "put" else (secret(1).reveal(),) * 2
    if act == "renew":
        new = secret(2).reveal()
    allowed = {old, None} if act == "delete" else {old, new}
    assert after.value in allowed
    match after.held:
        case Stored(found, _):
            assert after.value == secret(int(found.token.id.removeprefix("tok"))).reveal()
        case Damaged(found, _, _):
            assert form == "raw"  # the one with two files
            assert found in {receipt(1), receipt(2)}  # whose it may be is known
            assert (act, after.value) != ("put", new)
        case other:
            assert (other, after.value) == (Absent(), None)
    assert after.registration in {before.registration, REGISTRATION}
    if act != "register":
        assert after.registration == before.registration


def check_others(box: Box, act: str) -> None:
    if act == "put" or box.form == "raw":
        return
    content = box.file.read_bytes()
    if box.form == "dotenv":
        assert FOREIGN["dotenv"] in content
    else:
        assert json.loads(content)["OTHER"] == {"x": [1]}


def check_healed(box: Box, act: str) -> None:
    """The next run's write goes through, and leaves nothing of the cut-off one."""
    match act:
        case "delete":
            box.sink.delete(KEY, TokenId("tok1"))
            assert seen(box).held == Absent()
            assert consumed(box) is None
        case "register":
            box.sink.register(REGISTRATION)
            assert seen(box).registration == REGISTRATION
    if act != "register":
        held = box.sink.read(KEY)
        box.put(3, expect=ABSENT if isinstance(held, Absent) else box.version())
        assert consumed(box) == secret(3).reveal()
        assert box.sink.read(KEY) == Stored(receipt(3), box.version())
    assert [each for each in box.folder.parent.rglob("*") if each.name.endswith(".tmp")] == []


@pytest.mark.parametrize("act", ACTS)
def test_killed_at_each_step(writer: Writer, tmp_path: Path, form: str, act: str) -> None:
    for step in steps(writer, tmp_path, form, act):
        print(f"killed at {step}: {step.text}")  # noqa: T201 - shown when a check fails
        box = begun(tmp_path / str(step), form, act)
        before = seen(box)
        inject = f"{step.name}:signal=SIGKILL:when={step.number}"
        ended = writer.traced(order(box, act), tmp_path / "log", inject)
        assert ended == Ended("", -signal.SIGKILL)
        check_whole(before, seen(box), act, form)
        check_others(box, act)
        check_healed(box, act)


NEED_ROOM = ("openat", "mkdirat", "write", "fsync", "renameat", "renameat2")


def faults(step: Call) -> Iterator[str]:
    """Once broken, or full from here on."""
    yield f"error=EIO:when={step.number}"
    if step.name in NEED_ROOM:
        yield f"error=ENOSPC:when={step.number}+"
    if step.name == "write":
        yield f"error=EDQUOT:when={step.number}+"


@pytest.mark.parametrize("act", ACTS)
def test_each_step_fails(writer: Writer, tmp_path: Path, form: str, act: str) -> None:
    every = [(s, f) for s in steps(writer, tmp_path, form, act) for f in faults(s)]
    for number, (step, fault) in enumerate(every):
        print(f"{fault}: {step.text}")  # noqa: T201 - shown when a check fails
        box = begun(tmp_path / str(number), form, act)
        before = seen(box)
        inject = f"{step.name}:{fault}"
        ended = writer.traced(order(box, act), tmp_path / "log", inject)
        after = seen(box)
        assert ended.status == 0
        match ended.said.partition(" ")[0]:
            case "refused":
                assert after == before
            case "unsure":
                check_whole(before, after, act, form)
            case other:
                raise AssertionError(other)
        check_others(box, act)
        check_healed(box, act)
