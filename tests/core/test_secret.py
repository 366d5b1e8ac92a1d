import copy
import json
import pickle
import traceback

import pytest

from reconciler.core.secret import Secret, checksum, hide_tokens, holds_token

BODY = "0123456789abcdefghijABCDEFGHIJ"
REAL = f"nbp_{BODY}{checksum(BODY)}"
FAKE = f"nbp_{BODY}000000"


def test_no_text_made_of_a_secret_tells_it() -> None:
    secret = Secret(REAL)
    said = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>50}",
        f"{secret!r:.3}",
        "%s %r" % (secret, secret),  # noqa: UP031 - what a log call does
        repr([secret]),
        repr({"secret": secret}),
    ]
    assert not [text for text in said if BODY[:4] in text]
    assert secret.reveal() == REAL


@pytest.mark.parametrize(
    "copying",
    [copy.copy, copy.deepcopy, pickle.dumps, json.dumps, vars, bytes, list, len],
    ids=lambda each: each.__name__,
)
def test_a_secret_cannot_be_taken_apart(copying) -> None:
    with pytest.raises(TypeError) as caught:
        copying(Secret(REAL))
    assert BODY[:4] not in "".join(traceback.format_exception(caught.value))


def test_two_secrets_are_never_equal() -> None:
    assert Secret(REAL) != Secret(REAL)
    assert Secret("") is not None
    assert bool(Secret("")), "truth would tell whether it is empty"


def test_a_fingerprint_recognises_a_secret_and_no_other() -> None:
    assert Secret(REAL).fingerprint() == Secret(REAL).fingerprint() == "xqohad7a7w2iuhos"
    assert Secret(FAKE).fingerprint() != Secret(REAL).fingerprint()
    assert REAL[4:12] not in Secret(REAL).fingerprint()


def test_a_value_that_is_no_text_does_not_end_in_an_error_that_quotes_it() -> None:
    """A sink may hold anything; UnicodeEncodeError carries the whole text in its arguments."""
    assert len(Secret(f"{REAL}\udc80").fingerprint()) == 16


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (REAL, True),
        (FAKE, False),
        (REAL[:-1], False),
        (f"{REAL}0", False),
        (f" {REAL}", False),
        (f"{REAL}\n", False),
        (REAL.upper(), False),
        (REAL.replace("nbp_", "nbs_"), False),
        ("", False),
        ("nbp_", False),
        (f"nbp_{'é' * 36}", False),
        (f"nbp_{'٣' * 36}", False),
    ],
)
def test_a_well_formed_token_is_whole_and_has_the_right_checksum(text: str, whole: bool) -> None:
    assert Secret(text).is_well_formed() is whole


def test_a_checksum_is_padded_to_six_characters() -> None:
    sums = [checksum(f"{n:030}") for n in range(2000)]
    assert {len(each) for each in sums} == {6}
    assert any(each.startswith("0") for each in sums)


@pytest.mark.parametrize(
    "text",
    [
        REAL,
        FAKE,
        f"token={REAL}&x=1",
        f'{{"plain_token": "{REAL}"}}',
        f"{REAL}{REAL}",
        f"{REAL}/{FAKE}",
        f"nbp_{'A' * 33}{REAL}",
        f"cut off: {REAL[:34]}",
    ],
)
def test_no_part_of_a_token_outlives_hiding(text: str) -> None:
    assert BODY[:20] not in hide_tokens(text)
    assert "nbp_***" in hide_tokens(text)


@pytest.mark.parametrize("text", ["", "nothing here", "nbp_", "names start with nbp_", "nbp_short"])
def test_hiding_leaves_other_text_alone(text: str) -> None:
    assert hide_tokens(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"a {REAL} b", True),
        (f"x{REAL}y", True),
        (f"nbp_{'A' * 33}{REAL}", True),
        (f"{FAKE} {REAL}", True),
        (FAKE, False),
        (REAL[:-1], False),
        ("", False),
    ],
)
def test_a_real_token_is_found_wherever_it_stands(text: str, found: bool) -> None:
    assert holds_token(text) is found
