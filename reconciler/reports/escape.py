"""Strings that others wrote, made harmless for the place where they are shown (DESIGN §8)."""

from __future__ import annotations

import json as _json
import re
import unicodedata
from typing import Final

from reconciler.core.secret import hide_tokens

_MARKDOWN: Final = re.compile(r"^[-+=]|[\\`*_\[\]<>|~&@#]")
_INSTEAD: Final = {"<": "&lt;", "@": "@&#8203;", "#": "#&#8203;"}
"""A blank of no width ends what would be a mention, even where an entity for the sign would not."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})
_UNUSUAL: Final = re.compile(r"[^\n\x20-\x7e]")


def terminal(text: str) -> str:
    """One line without control characters, bidi overrides or anything else that cannot be seen."""
    if not text.isprintable():
        text = "".join(map(_seen, text))
    return hide_tokens(text)


def markdown(text: str) -> str:
    """One line of Markdown that shows the text and can neither break out nor mention anybody."""
    return _MARKDOWN.sub(lambda found: _INSTEAD.get(found[0], f"\\{found[0]}"), terminal(text))


def code_span(text: str) -> str:
    """A code span of Markdown; what could end it is left out."""
    return f"`{terminal(text).replace('`', '')}`"


def json(text: str) -> str:
    """The same JSON, with everything that cannot be seen written as an escape."""
    return _UNUSUAL.sub(lambda found: _escaped(found[0]), text)


def yaml(text: str) -> str:
    """A YAML scalar: JSON's strings are YAML's, but not its way to write what lies beyond four digits."""
    quoted = _json.dumps(text, ensure_ascii=False)
    return _UNUSUAL.sub(lambda found: _escaped(found[0], pairs=False), quoted)


def _escaped(char: str, *, pairs: bool = True) -> str:
    if unicodedata.category(char) not in _UNSEEN:
        return char
    if ord(char) <= 0xFFFF:  # noqa: PLR2004 - four digits
        return f"\\u{ord(char):04x}"
    return _json.dumps(char)[1:-1] if pairs else f"\\U{ord(char):08x}"


def _seen(char: str) -> str:
    if unicodedata.category(char) not in _UNSEEN:
        return char
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 - one byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four digits
