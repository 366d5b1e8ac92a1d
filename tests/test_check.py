"""validate FILE…, scan: files as a hook hands them over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from staging import HEAD, Stage

SET = HEAD + "tokens: [{name: a}]\n"
CONFIG = "apiVersion: netbird-tokens/v1\nkind: Config\n"


def write(name: str, text: str) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, "utf-8")
    return name


def test_each_file_stands_for_its_whole_set_once(stage: Stage) -> None:
    names = [
        write("one/tokens.yaml", SET), write("one/.netbird-tokens.yaml", CONFIG),
        write("two/tokens/a.yaml", SET), write("two/tokens/b.yml", SET.replace("name: a", "name: b")),
        write("conf/.netbird-tokens.yaml", CONFIG), write("mine.yaml", SET),
    ]  # fmt: skip
    ran = stage.run("validate", *names)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "one/tokens.yaml: valid; set platform, 1 tokens",
        "two/tokens: valid; set platform, 2 tokens",
        "conf/.netbird-tokens.yaml: valid; there is no token file beside it",
        "mine.yaml: valid; set platform, 1 tokens",
    ]


def test_what_is_wrong_anywhere_is_told_at_once(stage: Stage) -> None:
    write("two/tokens/a.yaml", SET)
    names = [
        write("one/tokens.yaml", SET.replace("name: a", "nmae: a")),
        write("two/tokens/b.yml", SET),  # alone it would be in order
        write("conf/.netbird-tokens.yaml", CONFIG + "lokc: {}\n"),
        write("four/.netbird-tokens.yaml", CONFIG + "sinks: {local: {type: file, path: secrets}}\n"),
        write("four/tokens.yaml", SET.replace("name: a", "name: a, sinks: [nowhere]")),
    ]
    ran = stage.run("validate", *names, "--report", "json=report.json")
    assert ran.code == 3
    for place in ("one/tokens.yaml:5", "two/tokens/b.yml:5", "conf/.netbird-tokens.yaml:3",
                  "four/tokens.yaml:5"):  # fmt: skip
        assert place in ran.err
        assert place.partition(":")[0] in Path("report.json").read_text("utf-8")


def test_files_are_named_in_one_way_only(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert stage.run("validate", "tokens.yaml", "--file", "tokens.yaml").code == 3
    assert stage.run("validate", "nowhere.yaml").code == 3


@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "utf-32", "latin-1"])
def test_a_token_is_found_in_any_file_and_told_by_its_place_alone(stage: Stage, coding: str) -> None:
    secret = stage.emulator.issue(stage.bot, "pasted", days=1)
    Path("a.bin").write_bytes(f"über\r\n\tx = 'é{secret}'; {secret}\n".encode(coding))
    Path("fine").write_bytes(b"\xff\x00nbp_" + b"x" * 36)  # no checksum
    ran = stage.run("scan", "fine", "a.bin")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("a.bin:2:8  error NB120") == 1
    assert ran.err.count("a.bin:2:") == 2
    assert "fine" not in ran.err
    assert secret not in ran.err
    assert stage.run("scan", "fine").code == 0


def test_a_file_that_cannot_be_read_is_not_one_without_a_token(stage: Stage) -> None:
    os.mkfifo("pipe")
    for name in ("pipe", "/dev/zero", "nothing", "."):
        ran = stage.run("scan", name)
        assert (ran.code, name in ran.err) == (3, True)


def test_a_file_whose_name_is_a_token_does_not_tell_it(stage: Stage) -> None:
    secret = stage.emulator.issue(stage.bot, "pasted", days=1)
    Path(secret).write_text(secret, "utf-8")
    ran = stage.run("scan", secret)
    assert (ran.code, secret in ran.err) == (3, False)
