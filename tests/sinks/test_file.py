from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from boxes import FORMATS, KEY, REGISTRATION, SHARED, Box, receipt, secret

from reconciler.core.ports import Power
from reconciler.core.receipts import (
    ABSENT,
    Absent,
    Damaged,
    Inventory,
    SetName,
    Stored,
    Version,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, Unread
from reconciler.errors import SinkRefused, SinkUnread


@pytest.fixture(params=FORMATS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    return Box(tmp_path, request.param)


@pytest.fixture(params=SHARED)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Box:
    return Box(tmp_path, request.param)


@pytest.fixture
def raw(tmp_path: Path) -> Box:
    return Box(tmp_path, "raw")


@pytest.fixture
def dotenv(tmp_path: Path) -> Box:
    return Box(tmp_path, "dotenv")


# What is written comes back


def test_what_was_put_is_read(box: Box) -> None:
    box.put()
    held = box.sink.read(KEY)
    assert isinstance(held, Stored)
    assert held.receipt == receipt()
    assert box.sink.inventory([KEY]).entries == {KEY: held}
    assert box.sink.power is Power.CONDITIONAL


def test_a_sink_that_does_not_exist_is_empty_and_looking_does_not_make_it(box: Box) -> None:
    assert box.sink.inventory([KEY]) == Inventory()
    assert box.sink.read(KEY) == Absent()
    assert not box.sink.delete(KEY, TokenId("tok1")) or pytest.fail("nothing was there")
    assert not box.folder.exists()


def test_deleting_and_amending_what_was_never_there_makes_no_file(box: Box) -> None:
    box.folder.mkdir(mode=0o700)
    assert not box.sink.delete(KEY, TokenId("tok1"))
    assert box.files() == set()
    box.folder.rmdir()
    with pytest.raises(SinkRefused):
        box.sink.amend(KEY, receipt(), Version("some"))
    assert not box.folder.exists()


def test_values_stand_where_consumers_look_for_them(box: Box) -> None:
    box.put()
    plain = secret().reveal()
    content = box.file.read_text()
    match box.form:
        case "raw":
            assert content == plain
        case "dotenv":
            assert content.splitlines()[-1] == f"{KEY}={plain}"
        case _:
            assert json.loads(content)[KEY] == plain


def test_files_are_0600_and_new_folders_0700(box: Box) -> None:
    old = os.umask(0)
    try:
        box.put()
    finally:
        os.umask(old)
    for each in box.folder.rglob("*"):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700


def test_the_inventory_lists_all_receipts_not_only_the_keys_asked_for(box: Box) -> None:
    box.put(1, "A")
    box.put(2, "B")
    found = box.sink.inventory([])
    assert {key: each.receipt.token.id for key, each in found.entries.items()} == {  # type: ignore[union-attr]
        "A": "tok1",
        "B": "tok2",
    }


def test_a_foreign_value_is_listed_only_where_asked_for(shared: Box) -> None:
    shared.write(b"OTHER=1\n" if shared.form == "dotenv" else b'{"OTHER": "1"}')
    assert shared.sink.inventory([]).entries == {}
    assert set(shared.sink.inventory(["OTHER"]).entries) == {"OTHER"}


def test_raw_keys_may_have_folders(raw: Box) -> None:
    raw.put(1, "team/deep/KEY")
    assert (raw.folder / "team/deep/KEY").read_text() == secret().reveal()
    assert stat.S_IMODE((raw.folder / "team/deep").stat().st_mode) == 0o700
    assert set(raw.sink.inventory([]).entries) == {"team/deep/KEY"}


def test_registrations_come_back_and_the_last_of_a_set_counts(box: Box) -> None:
    box.sink.register(replace(REGISTRATION, server="https://old.example"))
    box.sink.register(replace(REGISTRATION, set=SetName("other")))
    box.put()
    box.sink.register(REGISTRATION)
    assert box.sink.inventory([]).registrations == {
        "platform": REGISTRATION,
        "other": replace(REGISTRATION, set=SetName("other")),
    }
    assert isinstance(box.sink.read(KEY), Stored)


def test_amend_changes_the_receipt_and_keeps_the_secret(box: Box) -> None:
    box.put()
    fresh = receipt(protect=True, predecessors=())
    box.sink.amend(KEY, fresh, box.version())
    held = box.sink.read(KEY)
    assert isinstance(held, Stored)
    assert held.receipt == fresh
    assert secret().reveal() in box.file.read_text()


def test_delete_removes_value_and_receipt_and_nothing_else(box: Box) -> None:
    box.sink.register(REGISTRATION)
    box.put(1, "A")
    box.put(2, "B")
    assert box.sink.delete("A", TokenId("tok1"))
    found = box.sink.inventory(["A"])
    assert set(found.entries) == {"B"}
    assert set(found.registrations) == {"platform"}
    assert not box.sink.delete("A", TokenId("tok1"))


def test_delete_leaves_another_tokens_secret_alone(box: Box) -> None:
    box.put(2)
    assert not box.sink.delete(KEY, TokenId("tok1"))
    assert isinstance(box.sink.read(KEY), Stored)


# Conditions


def test_put_is_refused_when_the_place_changed_since_the_plan(box: Box) -> None:
    box.put(1)
    with pytest.raises(SinkRefused, match="changed since the plan") as refused:
        box.put(2)
    assert "nbp_" not in str(refused.value)
    assert box.sink.read(KEY) == Stored(receipt(1), box.version())


def test_put_replaces_what_the_plan_saw(box: Box) -> None:
    box.put(1)
    box.put(2, expect=box.version())
    assert box.sink.read(KEY) == Stored(receipt(2), box.version())


def test_the_same_put_again_goes_through(box: Box) -> None:
    box.put(1)
    box.put(1)
    assert isinstance(box.sink.read(KEY), Stored)


def test_amend_is_refused_on_a_conflict_or_for_another_token(box: Box) -> None:
    box.put(1)
    with pytest.raises(SinkRefused, match="changed since the plan"):
        box.sink.amend(KEY, receipt(protect=True), Version("old"))
    with pytest.raises(SinkRefused, match="no receipt of token tok2"):
        box.sink.amend(KEY, receipt(2), box.version())


@pytest.mark.parametrize("key", ["", ".hidden", "a/../b", "/etc/x", "a//b", "a b", "a\nb"])
def test_keys_that_do_not_fit_are_refused(box: Box, key: str) -> None:
    with pytest.raises(SinkRefused, match="does not fit this sink"):
        box.put(1, key)
    with pytest.raises(SinkRefused, match="does not fit this sink"):
        box.sink.preflight(key)


@pytest.mark.parametrize("text", ["", "short", "nbp_" + "x" * 35 + "\n", "nbp_" + "é" * 36])
def test_what_is_no_token_is_never_stored(box: Box, text: str) -> None:
    with pytest.raises(SinkRefused, match="does not look like a NetBird token"):
        box.sink.put(KEY, Secret(text), receipt(), ABSENT)
    assert box.sink.read(KEY) == Absent()


# Damage


def test_a_value_without_a_receipt_is_foreign_and_stays(box: Box) -> None:
    box.write({"raw": b"mine", "dotenv": b"KEY=mine\n", "json": b'{"KEY": "mine"}'}[box.form])
    held = box.sink.read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt is None
    with pytest.raises(SinkRefused, match="changed since the plan"):
        box.put()
    assert not box.sink.delete(KEY, TokenId("tok1"))
    assert b"mine" in box.file.read_bytes()


def test_a_value_that_somebody_changed_does_not_fit_its_receipt(box: Box) -> None:
    box.put()
    changed = box.file.read_text().replace(secret().reveal(), secret(2).reveal())
    box.write(changed.encode())
    held = box.sink.read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt == receipt()
    assert box.sink.inventory([]).entries == {KEY: held}
    assert box.sink.delete(KEY, TokenId("tok1"))
    assert secret(2).reveal() in box.file.read_text()  # not ours to destroy


def test_a_receipt_without_its_value_is_damage(box: Box) -> None:
    box.put()
    match box.form:
        case "raw":
            box.file.unlink()
        case "dotenv":
            lines = box.file.read_text().splitlines(keepends=True)
            box.write("".join(each for each in lines if not each.startswith(KEY)).encode())
        case _:
            members = json.loads(box.file.read_text())
            del members[KEY]
            box.write(json.dumps(members).encode())
    held = box.sink.read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt == receipt()
    box.put(1)  # a put that was cut short may be repeated
    assert isinstance(box.sink.read(KEY), Stored)


def test_a_garbled_receipt_is_damage_that_names_no_token(box: Box) -> None:
    box.put()
    where = box.folder / f".{KEY}.netbird-tokens.json" if box.form == "raw" else box.file
    where.write_text(where.read_text().replace("rotation", "rotations"))
    held = box.sink.read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt is None


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{", b"\xff\xfe", b'{"A": 1, "A": 2}', b'{"_netbird-tokens": 1}', b"[" * 100_000,
     b'{"A": 1e999999999999999999999}'],
)  # fmt: skip
def test_a_json_file_that_is_none_of_ours_is_never_overwritten(
    tmp_path: Path, content: bytes
) -> None:
    box = Box(tmp_path, "json")
    box.write(content)
    with pytest.raises(SinkUnread):
        box.sink.inventory([KEY])
    with pytest.raises(SinkRefused):
        box.put()
    with pytest.raises(SinkRefused):
        box.sink.preflight(KEY)
    assert box.file.read_bytes() == content


# Files that are not what they seem


def _symlink(box: Box) -> None:
    (box.folder / "elsewhere").write_text("x")
    (box.folder / "elsewhere").chmod(0o600)
    box.file.symlink_to("elsewhere")


def _hardlink(box: Box) -> None:
    box.write(b"")
    os.link(box.file, box.folder / "elsewhere")


def _fifo(box: Box) -> None:
    os.mkfifo(box.file, 0o600)


def _folder(box: Box) -> None:
    box.file.mkdir()


def _readable(box: Box) -> None:
    box.write(b"")
    box.file.chmod(0o644)


@pytest.mark.parametrize("trick", [_symlink, _hardlink, _fifo, _folder, _readable])
def test_nothing_is_written_through_a_trick(box: Box, trick) -> None:
    box.folder.mkdir(mode=0o700)
    trick(box)
    before = os.lstat(box.file)
    with pytest.raises(SinkRefused, match=str(box.file)) as refused:
        box.put()
    with pytest.raises(SinkRefused, match=str(box.file)):
        box.sink.preflight(KEY)
    assert refused.value.hint
    assert os.lstat(box.file) == before


@pytest.mark.parametrize("trick", [_symlink, _hardlink, _fifo])
def test_a_trick_is_not_read_either(box: Box, trick) -> None:
    box.folder.mkdir(mode=0o700)
    trick(box)
    if box.form == "raw":
        assert isinstance(box.sink.read(KEY), Unread)
        assert isinstance(box.sink.inventory([KEY]).at(KEY), Unread)
    else:
        with pytest.raises(SinkUnread):
            box.sink.inventory([KEY])


def test_a_folder_that_is_a_link_is_refused(box: Box, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    box.folder.symlink_to("real")
    with pytest.raises(SinkRefused, match="symbolic link"):
        box.put()
    with pytest.raises(SinkUnread, match="symbolic link"):
        box.sink.inventory([KEY])
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(box: Box, mode: int) -> None:
    box.folder.mkdir()
    box.folder.chmod(mode)
    with pytest.raises(SinkRefused, match="others can write") as refused:
        box.put()
    assert "chmod go-w" in refused.value.hint


def test_only_strict_minds_a_folder_that_all_can_look_into(box: Box, tmp_path: Path) -> None:
    box.folder.mkdir()
    box.folder.chmod(0o755)
    strict = Box(tmp_path, box.form, strict=True)
    with pytest.raises(SinkRefused, match="strict"):
        strict.put()
    with pytest.raises(SinkRefused, match="strict"):
        strict.sink.preflight(KEY)
    box.put()


def test_a_strict_preflight_looks_at_the_folder_where_the_set_is_registered(tmp_path: Path) -> None:
    strict = Box(tmp_path, "raw", strict=True)
    strict.folder.mkdir(mode=0o755)
    for key in ("new/key", "there/key"):
        with pytest.raises(SinkRefused, match="strict"):
            strict.sink.preflight(key)
        (strict.folder / "there").mkdir(mode=0o700, exist_ok=True)
    with pytest.raises(SinkRefused, match="strict"):
        strict.sink.register(REGISTRATION)


# What belongs to others in a shared file


@pytest.mark.parametrize(
    "content",
    [
        b"# mine\n\nA='x y' # why\nexport B=2\n\n",
        b"A=1\r\n# two\r\n",
        b"\xef\xbb\xbfA=1\n",
        b"A=\xff\xfe not text\n=odd\n",
        b"A='first\nKEY=not-ours # it\n# netbird-tokens: KEY {}\nlast' # it's\nB=x\\'y\\\\\n",
        b'A="a \\" b \\\nKEY=x"\r\n# it\'s\r\nB= # it\'s\r\n',
    ],
)
def test_foreign_lines_of_a_dotenv_file_stay_byte_for_byte(dotenv: Box, content: bytes) -> None:
    dotenv.write(content)
    dotenv.put()
    assert dotenv.file.read_bytes().startswith(content)
    assert isinstance(dotenv.sink.read(KEY), Stored)
    assert dotenv.sink.delete(KEY, TokenId("tok1"))
    assert dotenv.file.read_bytes() == content


@pytest.mark.parametrize("end", [b"", b"\r"])
def test_a_crlf_file_stays_one_though_its_last_line_is_not_ended(dotenv: Box, end: bytes) -> None:
    dotenv.write(b"A=1\r\nB=2" + end)
    dotenv.put()
    lines = dotenv.file.read_bytes().split(b"\n")
    assert lines[:2] == [b"A=1\r", b"B=2\r"]
    assert all(line.endswith(b"\r") for line in lines[:-1])


def test_renewing_keeps_the_line_its_place_and_its_export(dotenv: Box) -> None:
    dotenv.write(b"A=1\nexport KEY=foreign\nB=2\n")
    dotenv.put(expect=dotenv.version())
    lines = dotenv.file.read_text().splitlines()
    assert lines[0] == "A=1"
    assert lines[1].startswith("# netbird-tokens: KEY {")
    assert lines[2:] == [f"export KEY={secret().reveal()}", "B=2"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'A=1\nB="x\nC=2\n', "line 2 has a quote"),
        (b"A='1\n", "line 1 has a quote"),
        (b"A=it's\n", "line 1 has a quote"),
        (b"A='x\\'\nB='y'\n", "line 1 has a quote"),  # two lines for a shell, one for others
        (b"A='x\ny'\nB=1\\\nC=2\n", "line 3 ends in a backslash"),
        (b"A=1\\\r\n", "line 1 ends in a backslash"),
        (b"A=1\\", "line 1 ends in a backslash"),
        (b"# mine \\\n", "line 1 ends in a backslash"),  # systemd reads on
    ],
)
def test_a_dotenv_file_that_would_swallow_our_line_is_refused(
    dotenv: Box, content: bytes, told: str
) -> None:
    dotenv.write(content)
    with pytest.raises(SinkUnread, match=told):
        dotenv.sink.inventory([KEY])
    for act in (dotenv.put, lambda: dotenv.sink.preflight(KEY)):
        with pytest.raises(SinkRefused, match=told):
            act()
    assert dotenv.file.read_bytes() == content


def test_a_value_of_many_lines_is_taken_over_as_a_whole(dotenv: Box) -> None:
    dotenv.write(b'A=1\nKEY="first\nB=x\nlast"\nC=2\n')
    dotenv.put(expect=dotenv.version())
    lines = dotenv.file.read_text().splitlines()
    assert [lines[0], *lines[2:]] == ["A=1", f"KEY={secret().reveal()}", "C=2"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"A": 1, "A": 2}', "a key stands in it twice"),
        (b'{"A": 0.1000000000000000055511151231257827}', "cannot be rewritten exactly"),
        (b'{"A": [-0]}', "cannot be rewritten exactly"),
        (b'{"A": 1' + b"0" * 5000 + b"}", "cannot be rewritten exactly"),
        (b'{"A": 1e999}', "cannot be rewritten exactly"),
        (b"[1]", "is not one JSON object"),
        (b'{"A": ', "is not one JSON object"),
    ],
    ids=range(7),
)
def test_a_json_file_that_could_not_stay_as_it_is_is_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    box = Box(tmp_path, "json")
    box.write(content)
    with pytest.raises(SinkUnread, match=told):
        box.sink.inventory([KEY])
    with pytest.raises(SinkRefused, match=told):
        box.put()
    assert box.file.read_bytes() == content


def test_foreign_members_of_a_json_file_keep_order_and_value(tmp_path: Path) -> None:
    box = Box(tmp_path, "json")
    foreign = {"z": 1, "a": {"deep": [1.5, None, True, "ü"]}, "half": "\ud800"}
    box.write(json.dumps(foreign).encode())
    box.put()
    found = json.loads(box.file.read_text())
    assert list(found)[:3] == ["z", "a", "half"]
    assert {key: found[key] for key in foreign} == foreign


# Preflight


def test_preflight_leaves_nothing_behind(box: Box) -> None:
    box.sink.preflight(KEY)
    assert not box.folder.exists()
    box.put()
    before = box.files()
    box.sink.preflight("OTHER")
    assert box.files() == before


def test_preflight_does_not_judge_a_namesake_above_the_new_folder(box: Box, tmp_path: Path) -> None:
    above = tmp_path / box.file.name
    above.write_text("a project's own file")
    above.chmod(0o644)
    box.sink.preflight(KEY)
    assert above.read_text() == "a project's own file"


def test_a_raw_namesake_in_the_sink_does_not_stop_a_new_subfolder(raw: Box) -> None:
    raw.write(b"foreign")
    raw.file.chmod(0o644)
    raw.sink.preflight(f"new/{KEY}")


def test_a_killed_runs_temporary_file_is_removed_and_never_adopted(box: Box) -> None:
    box.folder.mkdir(mode=0o700)
    stale = box.folder / f".{box.file.name}.tok9.tmp"
    stale.write_text("half")
    box.put()
    assert not stale.exists()
    assert isinstance(box.sink.read(KEY), Stored)


def test_deleting_takes_what_a_killed_write_left_and_nothing_else(box: Box) -> None:
    stale = box.folder / f".{box.file.name}.tok9.tmp"
    for number in (0, 1):  # where nothing is yet, and where another token's secret is
        if number:
            box.put(number)
        box.folder.mkdir(mode=0o700, exist_ok=True)
        stale.write_text("half")
        assert not box.sink.delete(KEY, TokenId("tok9"))
        assert not stale.exists()
        assert isinstance(box.sink.read(KEY), Stored if number else Absent)


# Races


def test_threads_that_write_different_keys_all_survive(box: Box, tmp_path: Path) -> None:
    keys = [f"K{number}" for number in range(8)]
    start = threading.Barrier(len(keys))

    def write(number: int) -> None:
        start.wait()
        Box(tmp_path, box.form).put(number, keys[number])

    _together(write, len(keys))
    found = box.sink.inventory([]).entries
    assert set(found) == set(keys)
    assert all(isinstance(each, Stored) for each in found.values())
    assert not [name for name in box.files() if name.endswith(".tmp")]


def test_of_threads_that_write_one_key_exactly_one_wins(box: Box, tmp_path: Path) -> None:
    start, won = threading.Barrier(8), list[int]()

    def write(number: int) -> None:
        start.wait()
        try:
            Box(tmp_path, box.form).put(number)
        except SinkRefused:
            return
        won.append(number)

    _together(write, 8)
    assert len(won) == 1
    assert box.sink.read(KEY) == Stored(receipt(won[0]), box.version())


def _together(work, count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
