"""A disk that is really full, folders and files of other users, a lock that nobody lets go."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from boxes import FORMATS, KEY, REGISTRATION, Box, receipt, secret
from orders import Writer, writing
from writer import Order

from reconciler.core.receipts import ABSENT, Absent, Lookup, Stored, Unread
from reconciler.core.tokens import TokenId
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks.file import Dotenv, JsonFile, RawSink, SharedSink
from reconciler.sinks.file.lock import PATIENCE
from reconciler.sinks.file_watch import LONGEST

NOBODY = 65534


@pytest.fixture
def writer() -> Iterator[Writer]:
    with writing() as found:
        yield found


@pytest.fixture(params=FORMATS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    return Box(tmp_path, request.param)


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of root's that every user can pass; only root can make it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        folder.chmod(0o755)
        yield folder


def order(box: Box, act: str = "put", number: int = 1, **more) -> Order:
    return Order(box.form, str(box.folder.parent), act, number, version=ABSENT, **more)


def temporaries(box: Box) -> list[Path]:
    return [each for each in box.folder.parent.rglob("*") if each.name.endswith(".tmp")]


# Full disks


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_refuses_before_anything_is_minted_and_keeps_what_it_has(
    tmp_path: Path, form: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with disk(tmp_path, "64k"):
        box = Box(tmp_path, form)
        box.put()
        filler = box.folder.parent / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 20))
        for refused in (
            lambda: box.sink.preflight("OTHER"),
            lambda: box.put(2, expect=box.version()),
            lambda: box.sink.register(REGISTRATION),
            lambda: box.sink.amend(KEY, receipt(protect=True), box.version()),
        ):
            with pytest.raises(SinkRefused, match="No space left") as caught:
                refused()
            assert caught.value.hint == "free some space, then run again"
        assert box.sink.read(KEY) == Stored(receipt(), box.version())
        assert temporaries(box) == []
        filler.unlink()
        box.put(2, expect=box.version())
        assert box.sink.read(KEY) == Stored(receipt(2), box.version())


def test_a_file_that_may_not_grow_stays_as_it_is(writer: Writer, box: Box) -> None:
    box.put()
    before = box.sink.read(KEY)
    for act in ("put", "register", "preflight"):
        ended = writer.do(order(box, act, keys=("K2",), most=100))
        assert ended.said.startswith("refused"), ended
    assert box.sink.read(KEY) == before
    assert box.sink.read("K2") == Absent()
    assert temporaries(box) == []


def test_a_secret_that_cannot_follow_its_receipt_is_unsure(tmp_path: Path) -> None:
    raw = Box(tmp_path, "raw")
    raw.put()
    draft = raw.folder / f".{KEY}.tok2.tmp"
    lock = held(raw)
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(raw.put, 2, expect=raw.version())
        while not draft.exists():
            time.sleep(0.01)
        draft.unlink()  # it waits for the lock, and its draft is gone
        os.close(lock)
        with pytest.raises(SinkUnsure):
            put.result()
    assert raw.file.read_text() == secret().reveal()
    raw.put(3, expect=raw.version())
    assert raw.sink.read(KEY) == Stored(receipt(3), raw.version())


def test_a_secret_that_cannot_be_written_leaves_its_receipt_alone(tmp_path: Path) -> None:
    raw = Box(tmp_path, "raw")
    raw.put()
    (raw.folder / f".{KEY}.tok2.tmp").mkdir()  # in the way of the second file alone
    with pytest.raises(SinkRefused):
        raw.put(2, expect=raw.version())
    assert raw.sink.read(KEY) == Stored(receipt(), raw.version())


# Other users


def test_a_folder_that_we_may_not_write_to(theirs: Path, writer: Writer) -> None:
    for form in FORMATS:
        box = Box(theirs / form, form)
        box.folder.parent.mkdir(mode=0o755)  # root's
        for act in ("put", "register", "preflight"):
            ended = writer.do(order(box, act, uid=NOBODY))
            assert ended.said.startswith("refused"), ended
            assert "Permission denied" in ended.said
            assert "run as a user who may" in ended.said
        assert list(box.folder.parent.iterdir()) == []


def test_a_folder_and_a_file_of_somebody_else(theirs: Path, writer: Writer) -> None:
    for form in FORMATS:
        box = Box(theirs / form, form)
        box.folder.parent.mkdir(mode=0o755)
        os.chown(box.folder.parent, NOBODY, NOBODY)
        assert writer.do(order(box, uid=NOBODY)).said == "done"
        with pytest.raises(SinkRefused, match="belongs to another user"):  # root, in nobody's folder
            box.put(2)
        os.chown(box.folder, NOBODY - 1, NOBODY - 1)
        for act in ("put", "register", "preflight", "delete"):
            ended = writer.do(order(box, act, uid=NOBODY))
            assert ended.said.startswith("refused"), ended
        os.chown(box.folder, NOBODY, NOBODY)
        os.chown(box.file, NOBODY - 1, NOBODY - 1)
        for act in ("put", "preflight"):
            ended = writer.do(order(box, act, uid=NOBODY))
            assert ended.said.startswith("refused"), ended
            assert str(box.file) in ended.said
        assert box.file.stat().st_uid == NOBODY - 1


def test_what_we_may_not_look_into_is_unread(theirs: Path, writer: Writer) -> None:
    for form in FORMATS:
        box = Box(theirs / form, form)
        box.folder.parent.mkdir(mode=0o700)  # root's: nobody cannot even pass
        box.put()
        ended = writer.do(order(box, "inventory", uid=NOBODY))
        assert ended.said.startswith("unread"), ended
        assert "Permission denied" in ended.said


# A writer that hangs


def held(box: Box) -> int:
    """The sink's lock, as another process would hold it."""
    name = ".netbird-tokens.lock" if box.form == "raw" else f".all.{box.form}.lock"
    fd = os.open(box.folder / name, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def same(box: Box, **more) -> RawSink | SharedSink:
    """The same sink, with other limits."""
    match box.form:
        case "raw":
            return RawSink(box.folder, strict=False, **more)
        case "dotenv":
            return SharedSink(box.file, strict=False, parse=Dotenv.parse, **more)
        case _:
            return SharedSink(box.file, strict=False, parse=JsonFile.parse, **more)


def test_no_wait_is_longer_than_half_a_minute_and_then_nothing_was_written(box: Box) -> None:
    assert PATIENCE <= 30
    assert box.sink.patience == PATIENCE  # type: ignore[attr-defined]  # of every file sink
    box.put()
    before, version = box.files(), box.version()
    sink, fd = same(box, patience=0), held(box)
    try:
        for refused in (
            lambda: sink.put(KEY, secret(2), receipt(2), version),
            lambda: sink.amend(KEY, receipt(protect=True), version),
            lambda: sink.delete(KEY, TokenId("tok1")),
            lambda: sink.register(REGISTRATION),
        ):
            with pytest.raises(SinkRefused, match="another process holds") as caught:
                refused()
            assert "find and end it" in caught.value.hint
        assert sink.read(KEY) == Stored(receipt(), version)
        if box.form == "raw":
            box.file.write_text(secret(2).reveal())  # a misfit: perhaps the other's half a write
            with pytest.raises(SinkUnread, match="another process holds"):
                sink.inventory([])
    finally:
        os.close(fd)
    assert box.files() == before


def test_a_write_that_was_stopped_for_long_is_given_up(box: Box) -> None:
    box.put()
    version = box.version()
    sink = same(box, clock=iter([0.0, LONGEST + 1]).__next__)
    with pytest.raises(SinkRefused, match="longer than 300 s"):
        sink.put(KEY, secret(2), receipt(2), version)
    assert box.sink.read(KEY) == Stored(receipt(), version)
    if box.form == "raw":
        sink = same(box, clock=iter([0.0, LONGEST, LONGEST + 1]).__next__)
        with pytest.raises(SinkUnsure, match="longer than 300 s"):  # its receipt is there
            sink.put(KEY, secret(2), receipt(2), version)
        assert box.file.read_text() == secret().reveal()
    assert temporaries(box) == []


# Keys that nest


def test_a_key_below_a_file_and_a_key_that_is_a_folder(tmp_path: Path) -> None:
    raw = Box(tmp_path, "raw")
    raw.put(1, "a")
    raw.put(2, "b/c")
    for key in ("a/b", "a/b/c", "b"):
        seen: list[Lookup] = [raw.sink.read(key), raw.sink.inventory([key]).at(key)]
        assert all(isinstance(each, Unread) and "choose another" in each.why for each in seen)
        for refused in (
            lambda key=key: raw.put(3, key),
            lambda key=key: raw.sink.preflight(key),
            lambda key=key: raw.sink.delete(key, TokenId("tok3")),
        ):
            with pytest.raises(SinkRefused) as caught:
                refused()
            assert "choose another" in caught.value.hint
    assert {key: each.receipt for key, each in raw.sink.inventory(["a", "b/c"]).entries.items()} == {  # type: ignore[union-attr]
        "a": receipt(1),
        "b/c": receipt(2),
    }
    assert temporaries(raw) == []
