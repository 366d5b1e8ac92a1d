"""Strings that others wrote, made harmless for the place where they are shown (DESIGN §8)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from reconciler.core.secret import hide_tokens

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~@&])")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})


def terminal(text: str) -> str:
    """One line without control characters, bidi overrides or anything else that cannot be seen."""
    if not text.isprintable():
        text = "".join(map(_seen, text))
    return hide_tokens(text)


def markdown(text: str) -> str:
    """One line of Markdown that shows the text and can neither break out nor mention anybody."""
    return _MARKDOWN.sub(r"\\\1", terminal(text)).replace("\\<", "&lt;").replace("\\@", "&#64;")


def _seen(char: str) -> str:
    if unicodedata.category(char) not in _UNSEEN:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - one byte
