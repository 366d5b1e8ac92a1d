"""YAML's traps: what is text, what is refused, and with which words."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
import yaml
from loading import HEAD, Load

from reconciler.errors import InputError
from reconciler.source import strict_yaml
from reconciler.source.nodes import Node, plain
from reconciler.source.strict_yaml import parse
from reconciler.source.text import MAX_BYTES, Source, Unreadable, read_source, read_steady


def parsed(text: str) -> Node:
    node, problems = parse(Source("t.yaml", text, tuple(text.splitlines())))
    assert problems == []
    return node


def refusals(load: Load, text: str | bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(text)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("12:30:00", "12:30:00"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("0777", "0777"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ('"90"', "90"),
        ("'true'", "true"),
        ("9" * 5000, "9" * 5000),
        ("1e99999", "1e99999"),
        ("90", 90),
        ("-1", -1),
        ("+1", 1),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">\n  a\n  b\n", "a b\n"),
    ],
)
def test_a_value_is_what_it_looks_like(written: str, value: object) -> None:
    found = plain(parsed(f"key: {written}"))
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_merged_keys_yield_to_own_keys_and_earlier_ones_win() -> None:
    text = "- &a {x: 1, y: 1}\n- &b {y: 2, z: 2}\n- {<<: [*a, *b], x: 3}\n"
    assert plain(parsed(text)) == [{"x": 1, "y": 1}, {"y": 2, "z": 2}, {"x": 3, "y": 1, "z": 2}]


def test_two_merges_are_one_key_twice(load: Load) -> None:
    text = "tokens:\n  - &a {name: a}\n  - &b {name: b}\n  - <<: *a\n    <<: *b\n    name: c\n"
    assert refusals(load, text) == [
        't.yaml:8:5  error NB103 duplicate key "<<", first written in line 7'
    ]


def test_a_quoted_merge_sign_is_no_key_of_ours(load: Load) -> None:
    assert refusals(load, 'tokens: [{name: a}]\n"<": 1\n') == [
        't.yaml:5:1  error NB104 unknown key "<"'
    ]
    for quote in "'", '"':
        text = f"tokens:\n  - &a {{name: a}}\n  - {{name: b, {quote}<<{quote}: *a}}\n"
        assert refusals(load, text) == ['t.yaml:6:15  error NB104 unknown key "<<"']
    anchored = 'tokens:\n  - &a {name: a}\n  - {name: &m "<<"}\n  - {*m : *a, name: b}\n'
    assert any('unknown key "<<"' in line for line in refusals(load, anchored))


@pytest.mark.parametrize(
    ("data", "headline"),
    [
        (b"", "t.yaml:1:1  error NB111 the file is empty"),
        (b"# a\n", "t.yaml:1:1  error NB111 the file is empty"),
        (b"---\n...\n", "t.yaml:2:1  error NB111 the file is empty"),
        (b"\xef\xbb\xbf", "t.yaml:1:1  error NB111 the file is empty"),
        (b"a: b\n\tc: d\n", "t.yaml:2:1  error NB110 a tab stands in the indentation"),
        (b"a: 1\nname: x\0y\n", "t.yaml:2:8  error NB101 a NUL byte stands in the file"),
        (
            b"a: 1\r\nb: \x1b[31m\r\n",
            "t.yaml:2:4  error NB101 the control character U+001B stands in the file",
        ),
        (b"a: 1\nb: \xff\n", "t.yaml:2:1  error NB101 this is not UTF-8 text"),
        (
            b"a: 1\n\xef\xbb\xbfb: 1\n",
            "t.yaml:2:1  error NB101 a byte order mark that is not at its start stands in the file",
        ),
        (b"a:\n-\tb: 1\n", "t.yaml:2:2  error NB110 a tab stands where a space must be"),
        (
            b'a: "\\ud83d\\ude80"\n',
            "t.yaml:1:7  error NB102 this is not YAML: this escape is half a character, as JSON writes emoji",
        ),
        (
            b"a: 1\n...\nb: 1\n",
            "t.yaml:3:1  error NB102 this is not YAML: the document ended before this line",
        ),
        ("a: 1".encode("utf-16"), "t.yaml:1:1  error NB101 this is not UTF-8 text"),
        (b"a: 1\n---\nb: 1\n---\nc: 1\n", "t.yaml:2:1  error NB112 a second document starts here"),
        (b"[" * 60, "t.yaml:1:51  error NB108 this is nested more than 50 levels deep"),
        (b"- " * 60, "t.yaml:1:101  error NB108 this is nested more than 50 levels deep"),
        (b"{a: " * 60, "t.yaml:1:198  error NB108 this is nested more than 50 levels deep"),
        (b"a: 'x\n", "t.yaml:1:4  error NB102 this is not YAML: a quote is not closed"),
        (b"just text\n", "t.yaml:1:1  error NB113 the file must be a mapping (`key: value` lines)"),
    ],
)
def test_a_file_that_is_no_set(load: Load, data: bytes, headline: str) -> None:
    assert headline in refusals(load, data)


def test_a_file_over_the_size_limit(load: Load) -> None:
    assert refusals(load, b"#" * (11 * 1024 * 1024)) == [
        "t.yaml:1:1  error NB108 the file is larger than 10 MB"
    ]


def test_a_file_at_the_size_limit_is_read(load: Load) -> None:
    text = (HEAD + "tokens: [{name: a}]\n").encode()
    assert load(text + b"#" * (MAX_BYTES - len(text))).token_set.specs[0].name == "a"


def test_an_alias_bomb(load: Load) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert refusals(load, "\n".join(lines)) == [
        "t.yaml:8:45  error NB108 the aliases of this file repeat too much"
    ]


def test_many_small_aliases(load: Load) -> None:
    text = "tokens: [{name: &a x}, " + "*a, " * 1001 + "]"
    assert refusals(load, text)[0].endswith("NB108 the aliases of this file repeat too much")


def test_an_anchor_inside_itself(load: Load) -> None:
    assert refusals(load, "tokens: &a [{name: a}, *a]")[0].endswith(
        'NB109 the alias "*a" has no complete anchor before it'
    )


HIDING = ["\x85", "\u2028", "\u2029", "\r", "\u202e", "\u2067"]


@pytest.mark.parametrize("char", HIDING)
def test_nothing_hides_an_entry_behind_a_comment(load: Load, char: str) -> None:
    found = refusals(load, f"tokens:\n  - name: a  # harmless{char}  - name: b\n")
    assert [each.split("  error ")[0] for each in found] == ["t.yaml:5:24"]
    assert "NB101" in found[0]


def test_a_long_text_weighs_as_much_as_many_values(load: Load) -> None:
    long = "tokens:\n  - name: &long " + "x" * 990_000 + "\n"
    assert not any("NB108" in each for each in refusals(load, long + "  - name: *long\n" * 10))
    assert refusals(load, long + "  - name: *long\n" * 11) == [
        "t.yaml:16:11  error NB108 the aliases of this file repeat too much"
    ]


SNAGS = [
    "{",
    "- [",
    "a: |x",
    "a: &",
    "a: *",
    "a: !<",
    "a: !b!c d",
    "%",
    "%YAML 9.9\n---\na",
]
SNAGS += [
    "a: - b",
    "a: |0\n x",
    "? a: b: c",
    '"\\uD83D"',
    '"\\x"',
    "a: }",
    "a: @",
    "...\nb",
    "{a: b::c ]",
]


@pytest.mark.parametrize("text", SNAGS)
def test_every_snag_comes_with_a_way_out(load: Load, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text.encode())
    assert [str(problem).count("   fix: ") for problem in caught.value.problems] == [1]


def test_without_libyaml_the_same_is_read_and_refused(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEAD + "tokens:\n  - {name: a, user: !u b}\n  - nam: b\n"
    with_libyaml = refusals(load, text.encode())
    monkeypatch.setattr(strict_yaml, "_LOADER", yaml.SafeLoader)
    assert refusals(load, text.encode()) == with_libyaml
    assert "t.yaml:4:17  error NB101 an escape is half a character" in refusals(
        load, 'tokens: [{name: "\\ud83d\\ude80"}]'
    )


@pytest.mark.parametrize(
    "name", ["no", "12:30", "2026-01-01", "0777", "on", "🚀 deploy", "👩‍🚀x", "a#b"]
)
def test_names_are_kept_as_they_are_written(load: Load, name: str) -> None:
    assert load(f"tokens: [{{name: {name}}}]").token_set.specs[0].name == name


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_change_nothing(load: Load, newline: str, mark: str) -> None:
    text = mark + (HEAD + "tokens:\n  - name: a\n").replace("\n", newline)
    spec = load(text.encode()).token_set.specs[0]
    assert (spec.name, str(spec.where), spec.where.column) == ("a", "t.yaml:5", 5)


def test_a_link_out_of_its_folder_is_not_followed(
    load_paths: Load, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    elsewhere.write_text("password: hunter2")
    Path("t.yaml").symlink_to(elsewhere)
    with pytest.raises(InputError) as caught:
        load_paths("t.yaml")
    assert [str(problem) for problem in caught.value.problems] == [
        "t.yaml:1:1  error NB100 this link leads out of its folder\n"
        "   fix: give the path it points to   more: netbird-tokens explain NB100"
    ]


class Growing(io.FileIO):
    """A file that somebody adds to while it is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        with Path(str(self.name)).open("ab") as writer:
            writer.write(b"- name: b\n")
        return data or b""


def test_half_a_file_is_never_taken_for_a_smaller_set(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("tokens:\n- name: a\n")
    with Growing(file) as growing, pytest.raises(Unreadable) as caught:
        read_steady(file, growing)
    assert "NB100 the file changed while it was read" in str(caught.value.problem)
    with file.open("rb") as steady:
        assert read_steady(file, steady).count(b"name") == 2


def test_links_inside_a_folder_are_followed_as_configmaps_need(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "t.yaml").write_text("a: 1")
    (tmp_path / "t.yaml").symlink_to("..data/t.yaml")
    assert read_source(tmp_path / "t.yaml").text == "a: 1"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "cannot read the file: No such file or directory"),
        (os.mkfifo, "this is no regular file"),
        (os.mkdir, "the folder holds no *.yaml or *.yml file"),
        (
            lambda path: path.symlink_to(path),
            "cannot read the file: Too many levels of symbolic links",
        ),
    ],
    ids=["missing", "fifo", "folder", "loop"],
)
def test_what_cannot_be_read(load_paths: Load, tmp_path: Path, make, message: str) -> None:
    make(tmp_path / "t.yaml")
    with pytest.raises(InputError) as caught:
        load_paths("t.yaml")
    assert f" {message}\n" in str(caught.value.problems[0])


def test_a_device_never_ends_and_is_not_begun(load_paths: Load) -> None:
    with pytest.raises(InputError) as caught:
        load_paths("/dev/zero")
    assert "error NB100 this is no regular file\n" in str(caught.value.problems[0])
