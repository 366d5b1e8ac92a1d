"""How keys inside a sink look: the default key of a token, and which keys a sink can take."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
        longest: How many characters a key may have; keys are ASCII, so these are bytes, too. 0: any.
        longest_part: How many each part between slashes may have. 0: any.
        deepest: How many such parts there may be. 0: any.
        folder: Where keys are files: the folder that they stand in, or the one file that has them all.
            Sinks with a folder share one file system, so their places are compared as paths.
        ending: Stands behind a key in the name of its file.
    """

    pattern: str
    advice: str
    separator: str
    word: str
    upper: bool = False
    folds_case: bool = False
    nests: bool = False
    longest: int = 0
    longest_part: int = 0
    deepest: int = 0
    folder: str = ""
    ending: str = ""

    def default(self, set_name: SetName, name: str) -> str:
        """The key of a token that names none; empty if the name has no letter or digit."""
        slug = _slug(name, self.word)
        if not slug:
            return ""
        key = f"{_slug(set_name, self.word)}{self.separator}{slug}"
        return key.upper() if self.upper else key

    def accepts(self, key: str) -> bool:
        return re.fullmatch(self.pattern, key) is not None and not self._exceeded(key)

    def advice_for(self, key: str) -> str:
        """What to do about a key that the sink cannot take."""
        return self._exceeded(key) or self.advice

    def below(self, folder: str) -> KeyRule:
        """The same rule where the limits are those of a whole path, of which this folder is a part."""
        longest = self.longest and max(1, self.longest - len(folder) - 1)
        deepest = self.deepest and max(1, self.deepest - folder.count("/") - 1)
        return replace(self, longest=longest, deepest=deepest)

    def canonical(self, key: str) -> str:
        """Two keys with one canonical form are one place; a path where the rule has a folder."""
        one = key.casefold() if self.folds_case else key
        return f"{self.folder}/{one}{self.ending}" if self.folder else one

    def above(self, canonical: str) -> tuple[str, ...]:
        """What cannot be a place, beside this one: `a` and `a/b` beside `a/b/c`."""
        least = len(self.folder)
        ends = [at for at, letter in enumerate(canonical) if letter == "/" and at >= least]
        return tuple(canonical[:end] for end in ends) if self.nests else ()

    def _exceeded(self, key: str) -> str:
        """The limit that a key exceeds; empty if there is none."""
        parts = key.split("/")
        if 0 < self.longest < len(key):
            return f"at most {self.longest} characters"
        if 0 < self.longest_part < max(map(len, parts)):
            return f"at most {self.longest_part} characters in each part"
        return f"at most {self.deepest} parts" if 0 < self.deepest < len(parts) else ""


PATH_KEYS: Final = KeyRule(
    pattern=r"(?!.*//)[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*",
    advice="letters, digits, `.`, `_` and `-`, in folders with `/`, no part starting with a dot",
    separator="/",
    word="-",
    nests=True,
)
FILE_KEYS: Final = replace(PATH_KEYS, longest_part=200)
"""A file's name has up to 255 bytes, of which those of receipts and of temporary files take some 50."""
VARIABLE_KEYS: Final = KeyRule(
    pattern=r"[A-Za-z_][A-Za-z0-9_]*",
    advice="a variable name: letters, digits and `_`, not starting with a digit",
    separator="_",
    word="_",
    upper=True,
)


def _slug(text: str, word: str) -> str:
    return _GAPS.sub(word, text.lower()).strip(word)
