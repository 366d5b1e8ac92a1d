"""What was probably meant. Looking costs time, so a problem only says where to look, until it is shown."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from reconciler.core.secret import hide_tokens

_LOOKED_AT: Final = 100  # characters of a word; nothing that is known is as long


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one is probably a misspelling of; of two as close, the first."""
    short, words = word[:_LOOKED_AT].lower(), list(known)
    found = difflib.get_close_matches(short, words, n=3, cutoff=0.6)
    return max(
        sorted(found, key=words.index),
        key=lambda likely: difflib.SequenceMatcher(None, likely, short).ratio(),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class Guess:
    """A word that may be a misspelling.

    Attributes:
        known: What it could have been meant to be.
        fix: What to do if it was one of these, which takes the place of `{}`.
    """

    word: str
    known: Collection[str]
    fix: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "word", hide_tokens(self.word[:_LOOKED_AT]))
