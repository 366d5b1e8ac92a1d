from dataclasses import replace

import pytest

from reconciler.core.keys import FILE_KEYS, PATH_KEYS, VARIABLE_KEYS, KeyRule
from reconciler.core.receipts import SetName

SET = SetName("platform")


@pytest.mark.parametrize(
    ("name", "path", "variable"),
    [
        ("terraform", "platform/terraform", "PLATFORM_TERRAFORM"),
        ("CI/CD Token", "platform/ci-cd-token", "PLATFORM_CI_CD_TOKEN"),
        ("../../etc/passwd", "platform/etc-passwd", "PLATFORM_ETC_PASSWD"),
        ("  a\tb\nc  ", "platform/a-b-c", "PLATFORM_A_B_C"),
        (".hidden", "platform/hidden", "PLATFORM_HIDDEN"),
        ("--flag", "platform/flag", "PLATFORM_FLAG"),
        ("naïve café", "platform/na-ve-caf", "PLATFORM_NA_VE_CAF"),
        ("2nd", "platform/2nd", "PLATFORM_2ND"),
        ("日本", "", ""),
        ("…", "", ""),
    ],
)
def test_default_keys(name: str, path: str, variable: str) -> None:
    assert PATH_KEYS.default(SET, name) == path
    assert VARIABLE_KEYS.default(SET, name) == variable
    for rule, key in ((PATH_KEYS, path), (VARIABLE_KEYS, variable)):
        assert rule.accepts(key) is bool(key)


def test_a_set_that_starts_with_a_digit_makes_no_variable() -> None:
    assert not VARIABLE_KEYS.accepts(VARIABLE_KEYS.default(SetName("1st"), "a"))


@pytest.mark.parametrize(
    "key",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", ".a", "a/.b", "a/./b",
        "-a", "a/-b", "a\\b", "a b", "a\n", "a\x00", "C:\\a", "~/a", "$HOME", "é", "a/b\u202e",
    ],
)  # fmt: skip
def test_no_path_key_leaves_its_folder_or_hides(key: str) -> None:
    assert not PATH_KEYS.accepts(key)


@pytest.mark.parametrize("key", ["a", "_", "A.b_c-d", "a/b/c", "0", "a..b", "a/b..", "_/_"])
def test_path_keys(key: str) -> None:
    assert PATH_KEYS.accepts(key)


@pytest.mark.parametrize(
    ("key", "taken"),
    [("A", True), ("_", True), ("a_1", True), ("1A", False), ("", False), ("A-B", False),
     ("A\n", False), ("A=B", False), ("Ä", False), ("٣", False)],
)  # fmt: skip
def test_variable_keys(key: str, taken: bool) -> None:
    assert VARIABLE_KEYS.accepts(key) is taken


def test_one_place_under_two_spellings() -> None:
    folding = KeyRule("[A-Za-z]+", "letters", "_", "_", folds_case=True)
    assert folding.canonical("Key") == folding.canonical("kEY")
    assert PATH_KEYS.canonical("Key") != PATH_KEYS.canonical("key")


@pytest.mark.parametrize(
    ("limits", "good", "bad", "advice"),
    [
        ({"longest": 5}, "a/bcd", "a/bcde", "at most 5 characters"),
        ({"longest_part": 3}, "abc/abc", "abc/abcd", "at most 3 characters in each part"),
        ({"deepest": 2}, "abcdefg/b", "a/b/c", "at most 2 parts"),
    ],
)
def test_a_key_may_be_too_long(limits: dict[str, int], good: str, bad: str, advice: str) -> None:
    rule = replace(PATH_KEYS, **limits)  # type: ignore[arg-type]  # named after the fields
    assert rule.accepts(good)
    assert not rule.accepts(bad)
    assert PATH_KEYS.accepts(bad)
    assert rule.advice_for(bad) == advice
    assert rule.advice_for("/") == PATH_KEYS.advice


def test_a_folder_leaves_less_room() -> None:
    rule = replace(PATH_KEYS, longest=10, deepest=3)
    assert rule.below("ab/c").accepts("12345")
    assert not rule.below("ab/c").accepts("123456")
    assert not rule.below("ab/c").accepts("1/2")
    assert not rule.below("a" * 20).accepts("12")


def test_files_of_different_sinks_are_compared_as_paths() -> None:
    raw = replace(FILE_KEYS, folder="secrets")
    sealed = replace(FILE_KEYS, folder="secrets", ending=".age")
    lines = replace(VARIABLE_KEYS, folder="secrets/app.env", nests=True)
    assert raw.canonical("x/y.age") == sealed.canonical("x/y") == "secrets/x/y.age"
    assert raw.above(raw.canonical("x/y")) == ("secrets", "secrets/x")
    assert lines.above(lines.canonical("KEY")) == (raw.canonical("app.env"),)


def test_what_a_key_with_folders_rules_out() -> None:
    assert PATH_KEYS.above("a/b/c") == ("a", "a/b")
    assert PATH_KEYS.above("a") == ()
    flat = KeyRule(PATH_KEYS.pattern, "a path", "/", "-")
    assert flat.above("a/b/c") == ()
