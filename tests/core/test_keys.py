import pytest

from reconciler.core.keys import PATH_KEYS, VARIABLE_KEYS, KeyRule
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


def test_what_a_key_with_folders_rules_out() -> None:
    assert PATH_KEYS.above("a/b/c") == ("a", "a/b")
    assert PATH_KEYS.above("a") == ()
    flat = KeyRule(PATH_KEYS.pattern, "a path", "/", "-")
    assert flat.above("a/b/c") == ()
