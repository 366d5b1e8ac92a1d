"""Programs that misbehave: what is refused, what is unsure, and that nothing tells a secret."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest
from sealing import quick
from staging import wait_for
from test_exec_contract import COMMANDS, Kept

from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import ABSENT, Absent, Registration, SetName, Stored
from reconciler.core.tokens import Unread, UserId
from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure, UsageError
from reconciler.program import Program, shown
from reconciler.sinks import sink_type
from reconciler.sinks.receipt_text import receipt_to_json, registration_to_json, to_text
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret
from reconciler.testing.contents import START

KEY = "set/1"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def sink_of(home: Path, *command: str, seeing: dict[str, str] | None = None, **options: object) -> Sink:
    around = Surroundings(home, {"PATH": quick(home), **(seeing or {})}, allow_http=False)
    return sink_type("exec").build({"command": list(command), **options}, around)


def wrote(kept: Kept, mood: str, sink: Sink | None = None) -> SinkError:
    with kept.mood(mood), pytest.raises(SinkError) as caught:
        (sink or kept.sink()).put(KEY, secret(1), receipt(1), ABSENT)
    return caught.value


@pytest.mark.parametrize(
    ("mood", "kind", "said"),
    [
        ("put refuses not_found", SinkRefused, "it has nothing there (exit 3: so it goes)"),
        ("put refuses conflict", SinkRefused, "the place is not as expected"),
        ("put refuses denied", SinkRefused, "it is not allowed to"),
        ("put refuses invalid", SinkRefused, "its store cannot take this"),
        ("put refuses unsupported", SinkRefused, "it does not know how"),
        ("put refuses unavailable", SinkRefused, "its store was not reached"),
        ("put refuses ambiguous", SinkUnsure, "it does not know whether it was written"),
        ("put exits 5", SinkUnsure, "exit 5: so it goes"),  # as jq does at the end of a shell script
        ("put exits 69", SinkUnsure, "exit 69: so it goes"),
        ("put exits 1", SinkUnsure, "exit 1: so it goes"),
        ("put exits 127", SinkUnsure, "exit 127: so it goes"),
        ("put silence", SinkUnsure, "it ended well, and its answer does not say so"),
        ("put garbage", SinkUnsure, "it ended well, and its answer does not say so"),
        ("put dies", SinkUnsure, "signal 9"),
        ("put babbles", SinkUnsure, "printed more than 64 KiB"),
        ("put lies", SinkUnsure, "exit 69"),
        ("after after", SinkUnsure, "the store fell silent"),
    ],
)
def test_only_what_the_program_vouches_for_is_refused(
    kept: Kept, mood: str, kind: type[SinkError], said: str
) -> None:
    error = wrote(kept, mood)
    assert isinstance(error, kind)
    assert said in error.message
    assert isinstance(kept.sink().read(KEY), Stored if mood == "after after" else Absent)


def test_a_program_that_hangs_is_ended_and_the_write_is_unsure(kept: Kept) -> None:
    sink = sink_of(kept.home, str(COMMANDS / "keeper"), timeout=1)
    assert "took longer than 1 s" in wrote(kept, "put hangs", sink).message
    assert isinstance(wrote(kept, "put hangs", sink), SinkUnsure)


def test_what_a_program_left_running_is_ended_and_nobody_waits(kept: Kept) -> None:
    with kept.mood("put leaves"):
        put(kept.sink(), KEY, 1)
    pid = int((kept.home / "left").read_text())
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or is_dead(pid))


def is_dead(pid: int) -> bool:
    """Ended, and nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_program_that_cannot_be_run_has_done_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    for command in ("./nothing", "./text", "no-such-program-anywhere"):
        sink = sink_of(tmp_path, command)
        with pytest.raises(SinkRefused, match="cannot be run"):
            sink.put(KEY, secret(1), receipt(1), ABSENT)
        with pytest.raises(SinkUnread, match="cannot be run"):
            sink.inventory([])


@pytest.mark.parametrize("way", ["plain", "spaced", "hex"])
def test_what_tells_the_secret_is_not_shown(kept: Kept, way: str) -> None:
    error = wrote(kept, f"put tells {way}")
    text = "".join(traceback.format_exception(error)) + error.hint
    assert isinstance(error, SinkRefused)
    assert "it holds a part of the secret" in text
    for form in (plain(1), " ".join(plain(1)), plain(1).encode().hex()):
        assert form[10:30] not in text


def test_a_token_that_we_do_not_know_is_not_shown_either() -> None:
    assert shown(f"found {plain(3)} there") == "found nbp_*** there"
    for text in ("bmJwX0NvbmZvcm1hbmNl", "IG5icF9Db25mb3JtYW5j", "YSBuYnBfQ29uZm9y", plain(3).encode().hex()):
        assert shown(f"found {text} there") == "found *** there"


def test_argv_and_environment_hold_no_secret_and_no_credential(kept: Kept) -> None:
    env = {"NB_PAT": plain(8), "NETBIRD_API_TOKEN": plain(8), "MINE": "yes", "OTHER": "no", "HOME": "/h"}
    sink = sink_of(kept.home, str(COMMANDS / "keeper"), "word", seeing=env, timeout=20)
    listed = sink_of(kept.home, str(COMMANDS / "keeper"), seeing=env, env=["MINE"], timeout=20)
    with kept.mood("put shows"):
        put(sink, KEY, 1)
        argv, seen = json.loads((kept.home / "shown").read_text())
        assert argv[1:] == ["word"]
        assert (set(seen) - {"LC_CTYPE", "PWD"}, seen["HOME"]) == ({"PATH", "HOME"}, "/h")
        put(listed, KEY, 2)
        assert json.loads((kept.home / "shown").read_text())[1]["MINE"] == "yes"
    assert plain(1) not in repr(argv) + repr(seen)


@pytest.mark.parametrize("name", ["NB_PAT", "NETBIRD_API_TOKEN"])
def test_our_credential_is_for_no_program(tmp_path: Path, name: str) -> None:
    around = Surroundings(tmp_path, {}, allow_http=False)
    with pytest.raises(UsageError, match=name):
        sink_type("exec").build({"command": ["x"], "env": [name]}, around)


def test_a_program_with_the_same_words_and_params_is_the_same_store(tmp_path: Path) -> None:
    def store(*command: str, **params: str) -> tuple[str, ...]:
        options = {"command": list(command), "params": params}
        return sink_type("exec").store(options, Surroundings(tmp_path, {}, allow_http=False))

    assert store("./a", x="1") == store("b/../a", x="1")
    assert len({store("./a"), store("a"), store("./a", "b"), store("./a", x="1"), store("./a", x="2")}) == 5


def test_what_it_can_do_it_must_say(kept: Kept) -> None:
    said = kept.home / "capabilities"
    said.write_text("[7]")
    with pytest.raises(SinkRefused, match="does not say what it can do"):
        kept.sink().preflight(KEY)
    for told, power in (
        ({"cas": True, "atomic": True}, Power.CONDITIONAL),
        ({"cas": "true", "atomic": True}, Power.UNCONDITIONAL),
        ({"cas": True}, Power.WRITE_ONLY),
        ({"atomic": 1}, Power.WRITE_ONLY),
    ):
        said.write_text(json.dumps(told))
        assert kept.sink().power is power


def scripted(home: Path, answer: object) -> Sink:
    """A program that says one thing to everything."""
    program = home / "program"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    program.chmod(0o755)
    return sink_of(home, "./program")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"state": "gone"},
        {"state": "present", "meta": "{}", "value": "x"},
        {"state": "present", "version": 3, "meta": "{}", "value": "x"},
        {"state": "present", "version": "", "meta": "{}", "value": "x"},
        {"state": "present", "version": "3", "meta": {}, "value": "x"},
        {"state": "present", "version": "3", "meta": "{}"},
        {"state": "present", "version": "3", "meta": "{}", "value": 7},
        {"state": "present", "version": "3", "meta": "{}", "bound": "yes"},
    ],
)
def test_half_a_record_is_not_read(tmp_path: Path, record: dict[str, object]) -> None:
    with pytest.raises(SinkUnread):
        scripted(tmp_path, {"ok": True, **record}).read(KEY)
    with pytest.raises(SinkUnread):
        scripted(tmp_path, {"ok": True, "records": {KEY: record}, "registrations": {}}).inventory([])


def test_a_list_without_all_of_its_parts_is_not_read(tmp_path: Path) -> None:
    for answer in (
        {"ok": True, "records": {}},
        {"ok": True, "registrations": {}},
        {"ok": True, "records": [], "registrations": {}},
        {"ok": True, "records": {}, "registrations": {"a": 1}},
        {"ok": True, "records": {KEY: []}, "registrations": {}},
        {"records": {}, "registrations": {}},
        {"ok": 1, "records": {}, "registrations": {}},
        [{"ok": True}],
    ):
        with pytest.raises(SinkUnread):
            scripted(tmp_path, answer).inventory([])


def text_of_one() -> str:
    return to_text(receipt_to_json(receipt(1)))


def test_what_a_list_leaves_out_is_unread_and_what_it_calls_absent_is_absent(tmp_path: Path) -> None:
    records = {"set/2": {"state": "absent"}}
    sink = scripted(tmp_path, {"ok": True, "records": records, "registrations": {}})
    found = sink.inventory([KEY, "set/2"])
    silent = found.at(KEY)
    assert isinstance(silent, Unread)
    assert silent.why.startswith(f"exec {tmp_path}/program: its list leaves out {KEY}, and does not say")
    assert "mend the program after netbird-tokens.sink/v1" in silent.why
    assert isinstance(found.at("set/2"), Absent)


@pytest.mark.parametrize(
    ("ref", "record", "said"),
    [
        ("set/1 ", {"state": "present", "version": "1", "meta": "ours", "value": "x"}, "which is no key"),
        (f"../{plain(4)}", {"state": "unread", "why": "locked"}, "which is no key"),
        ("theirs", {"state": "present", "version": "1", "meta": None, "value": "x"}, "was not asked for"),
        ("gone", {"state": "absent"}, "was not asked for"),
        (KEY, {"state": "absent", "value": "x"}, "neither absent nor present"),
        (KEY, {"state": "absent", "meta": "{}"}, "neither absent nor present"),
        (KEY, {"state": "present", "version": 1, "meta": None, "value": "x"}, "no `version` that is a text"),
    ],
)
def test_a_ref_that_is_another_than_was_meant_makes_the_list_unread(
    tmp_path: Path, ref: str, record: dict[str, object], said: str
) -> None:
    sink = scripted(tmp_path, {"ok": True, "records": {ref: record}, "registrations": {}})
    with pytest.raises(SinkUnread, match=said) as unread:
        sink.inventory([KEY])
    assert unread.value.message.startswith(f"exec {tmp_path}/program: ")
    assert plain(4) not in unread.value.message
    assert "mend the program after netbird-tokens.sink/v1" in unread.value.hint


def test_a_ref_that_is_listed_twice_is_not_read(tmp_path: Path) -> None:
    record = json.dumps({"state": "present", "version": "1", "meta": text_of_one(), "value": plain(1)})
    program = tmp_path / "program"
    twice = f'{{"ok": true, "registrations": {{}}, "records": {{"{KEY}": {record}, "{KEY}": {record}}}}}'
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{twice}\nEND\n")
    program.chmod(0o755)
    with pytest.raises(SinkUnread, match=r"list failed: .*it is not JSON, or says one thing twice"):
        sink_of(tmp_path, "./program").inventory([KEY])


def test_a_registration_that_is_a_copy_of_another_set_s_is_not_read(tmp_path: Path) -> None:
    """Since when a set may write here decides what is an orphan."""
    known = Registration(SetName("one"), "https://netbird.example", UserId("us"), START)
    listed = {"one": to_text(registration_to_json(known))}
    sink = scripted(tmp_path, {"ok": True, "records": {}, "registrations": listed})
    assert sink.inventory([]).registrations == {"one": known}
    listed["two"] = listed["one"]
    sink = scripted(tmp_path, {"ok": True, "records": {}, "registrations": listed})
    with pytest.raises(SinkUnread, match="the registration of two is one of one"):
        sink.inventory([])


def test_a_record_that_the_program_could_not_read_is_unread(tmp_path: Path) -> None:
    why = {"state": "unread", "why": f"locked {plain(4)}"}
    found = scripted(tmp_path, {"ok": True, "records": {KEY: why}, "registrations": {}})
    assert found.inventory([]).at(KEY) == Unread("locked nbp_***")


def test_a_value_that_nobody_can_read_is_known_by_what_it_is_bound_to(tmp_path: Path) -> None:
    for bound, kind in ((True, "Stored"), (False, "Damaged")):
        record = {"state": "present", "version": "3", "meta": text_of_one(), "bound": bound}
        held = scripted(tmp_path, {"ok": True, **record}).read(KEY)
        assert type(held).__name__ == kind


def test_more_than_a_pipe_takes_goes_in_and_out(tmp_path: Path) -> None:
    program = Program(("cat",), {"PATH": os.environ["PATH"]}, tmp_path, limit=8 << 20)
    ended = program.run(given=b"x" * (4 << 20))
    assert (ended.status, len(ended.out)) == (0, 4 << 20)


def test_a_program_that_reads_nothing_stops_nobody(tmp_path: Path) -> None:
    ended = Program(("true",), {"PATH": os.environ["PATH"]}, tmp_path).run(given=b"x" * (4 << 20))
    assert ended.status == 0


def test_a_program_that_will_not_end_is_killed(tmp_path: Path) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    ended = Program(stubborn, {"PATH": os.environ["PATH"]}, tmp_path, timeout=0.2).run()
    assert (ended.status, ended.why) == (None, "took longer than 0.2 s")
