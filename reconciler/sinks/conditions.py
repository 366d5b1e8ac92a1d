"""What is asked before anything is written: the key, the secret, and that nothing changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.receipts import (
    Absent,
    Damaged,
    Receipt,
    SetName,
    Stored,
    Version,
    receipt_of,
    version_of,
)
from reconciler.core.secret import Secret
from reconciler.errors import SinkError, SinkRefused, SinkUnsure

_SET: Final = re.compile(r"[A-Za-z0-9_-]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_]{40}")

Held = Stored | Damaged | Absent


@contextmanager
def nothing_written() -> Iterator[None]:
    """For looks and probes before a write: none of them can take effect, so whatever fails is a refusal."""
    try:
        yield
    except SinkError as error:
        raise SinkRefused(error.message, hint=error.hint) from None


@contextmanager
def partly_written(what: str) -> Iterator[None]:
    """For what follows the first effect of several: whatever fails there, some of it is done.

    Args:
        what: What is done, as the first half of a sentence.
    """
    try:
        yield
    except SinkError as error:
        raise SinkUnsure(f"{what}: {error.message}", hint=error.hint) from None


def check_key(rule: KeyRule, key: str) -> None:
    if not rule.accepts(key):
        raise SinkRefused(
            f"the key {key!r} does not fit this sink", hint=f"use {rule.advice_for(key)}"
        )


def check_set(name: SetName) -> None:
    """A set's name becomes part of a file name or of a comment."""
    if not _SET.fullmatch(name):
        raise SinkRefused(f"{name!r} is no name of a set", hint="use small letters, digits, dashes")


def plain(secret: Secret) -> str:
    """The text of a secret that needs no quoting in any file (sinks.md §2.2)."""
    text = secret.reveal()
    if not _TOKEN.fullmatch(text):
        raise SinkRefused(
            "the new secret does not look like a NetBird token (40 letters, digits and `_`)",
            hint="check that management_url leads to a NetBird server",
        )
    return text


def check_put(place: object, held: Held, receipt: Receipt, expect: Version) -> None:
    """A second `put` of the same receipt goes through: the first may have been cut short."""
    if receipt_of(held) != receipt:
        _check_unchanged(place, held, expect)


def check_amend(place: object, held: Held, receipt: Receipt, expect: Version) -> None:
    """A receipt follows its secret: it never comes to stand beside another one's, or alone."""
    _check_unchanged(place, held, expect)
    current = receipt_of(held)
    if current is None or current.token != receipt.token:
        raise SinkRefused(f"{place} holds no receipt of token {receipt.token.id} to amend")


def _check_unchanged(place: object, held: Held, expect: Version) -> None:
    if version_of(held) != expect:
        raise SinkRefused(f"{place} changed since the plan", hint="plan again")
