"""Many processes write one sink at once."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from boxes import FORMATS, KEY, Box, receipt
from orders import Ended, Writer, writing
from writer import SEEN, Order

from reconciler.core.receipts import ABSENT, Stored

WRITERS, KEYS = 8, 12


@pytest.fixture(params=FORMATS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    return Box(tmp_path, request.param)


def all_at_once(writers: list[Writer]) -> list[Ended]:
    for pid in [each.waiting() for each in writers]:
        os.kill(pid, signal.SIGUSR1)
    return [each.end() for each in writers]


def test_all_keys_of_all_processes_survive(box: Box) -> None:
    folder = str(box.folder.parent)
    wanted = {f"K{n}_{k}": n for n in range(WRITERS) for k in range(KEYS)}
    with ExitStack() as stack:
        writers = [stack.enter_context(writing()) for _ in range(WRITERS)]
        for number, each in enumerate(writers):
            keys = tuple(key for key, owner in wanted.items() if owner == number)
            each.begin(Order(box.form, folder, "put", number, keys, ABSENT, waits=True))
        assert {ended.said for ended in all_at_once(writers)} == {"done"}
    found = box.sink.inventory([]).entries
    assert {key: each.receipt for key, each in found.items()} == {  # type: ignore[union-attr]
        key: receipt(number) for key, number in wanted.items()
    }
    assert all(isinstance(each, Stored) for each in found.values())
    assert [name for name in box.files() if name.endswith(".tmp")] == []


def test_of_processes_that_saw_the_same_exactly_one_writes(box: Box) -> None:
    box.put(0)
    folder = str(box.folder.parent)
    with ExitStack() as stack:
        writers = [stack.enter_context(writing()) for _ in range(4)]
        for number, each in enumerate(writers, 1):
            each.begin(Order(box.form, folder, "put", number, (KEY,), SEEN, waits=True))
        said = [ended.said.partition(";")[0] for ended in all_at_once(writers)]
    assert said.count("done") == 1
    assert all(each == "done" or each.endswith("changed since the plan") for each in said)
    won = said.index("done") + 1
    assert box.sink.read(KEY) == Stored(receipt(won), box.version())
