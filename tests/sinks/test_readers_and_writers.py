"""Readers hold no lock: a file that is replaced under them is whole, and no hard-link trick."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from reconciler.sinks.file.safe_walk import open_folder


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_file_replaced_while_it_is_read(tmp_path: Path, size: int) -> None:
    folder = tmp_path.resolve() / "s"
    folder.mkdir(mode=0o700)
    contents = {letter * size for letter in (b"a", b"b")}
    done = Event()

    def replace() -> None:
        with open_folder(folder) as mine:
            for n in range(150):
                mine.replace("f", sorted(contents)[n % 2], "t")
        done.set()

    writer = Thread(target=replace)
    writer.start()
    seen = set()
    with open_folder(folder) as ours:
        while not done.is_set():
            seen.add(ours.read("f"))
    writer.join()
    assert seen <= {None, *contents}
    assert seen & contents
