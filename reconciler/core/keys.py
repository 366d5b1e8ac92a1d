"""How keys inside a sink look: the default key of a token, and which keys a sink can take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reconciler.core.receipts import SetName

_GAPS: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class KeyRule:
    """What one sink type says about its keys; data, so that files are checked without any sink.

    Attributes:
        pattern: A key that the sink can take matches it whole.
        advice: What a good key looks like, for people.
        separator: Stands between set and name in a default key.
        word: Stands for everything in a name that is neither a letter nor a digit.
        upper: Whether default keys are upper-case.
        folds_case: Whether the store takes `KEY` and `key` for one place.
        nests: Whether `a/b` makes a folder of `a`, so that `a` cannot be a key, too.
    """

    pattern: str
    advice: str
    separator: str
    word: str
    upper: bool = False
    folds_case: bool = False
    nests: bool = False

    def default(self, set_name: SetName, name: str) -> str:
        """The key of a token that names none; empty if the name has no letter or digit."""
        slug = _slug(name, self.word)
        if not slug:
            return ""
        key = f"{_slug(set_name, self.word)}{self.separator}{slug}"
        return key.upper() if self.upper else key

    def accepts(self, key: str) -> bool:
        return re.fullmatch(self.pattern, key) is not None

    def canonical(self, key: str) -> str:
        """Two keys with one canonical form are one place."""
        return key.casefold() if self.folds_case else key

    def above(self, key: str) -> tuple[str, ...]:
        """The keys that cannot be, beside this one: `a` and `a/b` beside `a/b/c`."""
        ends = [at for at, letter in enumerate(key) if letter == "/"] if self.nests else []
        return tuple(key[:end] for end in ends)


PATH_KEYS: Final = KeyRule(
    pattern=r"(?!.*//)[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*",
    advice="letters, digits, `.`, `_` and `-`, in folders with `/`, no part starting with a dot",
    separator="/",
    word="-",
    nests=True,
)
VARIABLE_KEYS: Final = KeyRule(
    pattern=r"[A-Za-z_][A-Za-z0-9_]*",
    advice="a variable name: letters, digits and `_`, not starting with a digit",
    separator="_",
    word="_",
    upper=True,
)


def _slug(text: str, word: str) -> str:
    return _GAPS.sub(word, text.lower()).strip(word)
