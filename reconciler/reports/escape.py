"""Strings that others wrote, made harmless for the place where they are shown (DESIGN §8)."""

from __future__ import annotations

import json as _json
import re
import unicodedata
from typing import Final

from reconciler.core.secret import hide_tokens

_MARKDOWN: Final = re.compile(
    r"^[-+=]|[\\`*_\[\]<>|~&@#$]|!(?=\w)|/(?=/)|:(?=[\w+-]+:)|(?<=www)\.|(?<=\bGH)-(?=\d)",
    re.IGNORECASE,
)
_BLANK: Final = "&#8203;"
"""A blank of no width ends what would be a mention, a link or a formula, even where an entity for the
sign would not."""
_INSTEAD: Final = {
    "<": "&lt;",
    "&": f"\\&{_BLANK}",
    "$": f"&#36;{_BLANK}",
    ".": f"{_BLANK}.",
    **{sign: f"{sign}{_BLANK}" for sign in "@#!/:"},
}
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})
_UNUSUAL: Final = re.compile(r"[^\n\x20-\x7e]")
_COLOUR_OR_UNUSUAL: Final = re.compile(r"\x1b\[(?:[01]|1;31|3[1-6])m|[^\n\x20-\x7e\u200d]")
"""The colours are ours (`Style.paint`); the joiner holds emoji together, and carets below them in place."""
_HASHES: Final = re.compile(r"#(?=#[\w\u200d]*\[)")
"""`##[`, `##vso[`: GitHub and Azure read these as a command wherever they stand in a line."""
_COLONS: Final = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
"""`::`: GitHub and Forgejo read a line as a command that begins so, blanks aside."""


def harmless(text: str) -> str:
    """A whole text on its way out: it tells no token, steers no terminal and commands no CI system.

    The one door for all that leaves, whatever was forgotten in its place. Line ends and our colours pass.
    """
    if not _is_plain(text):
        text = _COLOUR_OR_UNUSUAL.sub(
            lambda found: found[0] if found[0][1:] else _seen(found[0]), text
        )
    if "::" in text:
        text = _COLONS.sub(r"\1\\x3a", text)
    return hide_tokens(_HASHES.sub(r"\\x23", text))


def terminal(text: str) -> str:
    """One line without control characters, bidi overrides or anything else that cannot be seen."""
    if not text.isprintable():
        text = "".join(map(_seen, text))
    return hide_tokens(text)


def markdown(text: str) -> str:
    """One line of Markdown that shows the text: it cannot break out, mention, link, or be anything else."""
    return _MARKDOWN.sub(_in_markdown, terminal(text))


def _in_markdown(found: re.Match[str]) -> str:
    if found[0] == "-" and found.start():
        return f"-{_BLANK}"  # GH-1
    return _INSTEAD.get(found[0], f"\\{found[0]}")


def code_span(text: str) -> str:
    """A code span of Markdown; what could end it is left out."""
    return f"`{terminal(text).replace('`', '')}`"


def json(text: str) -> str:
    """The same JSON without tokens, and with escapes for what cannot be seen or commands a CI system."""
    if not _is_plain(text):
        text = _UNUSUAL.sub(lambda found: _escaped(found[0]), text)
    return hide_tokens(_HASHES.sub(r"\\u0023", text))


def workflow_text(text: str) -> str:
    """The message of a workflow command of GitHub: on one line, and no command itself."""
    shown = "\n".join(terminal(line) for line in text.splitlines())
    shown = _HASHES.sub(r"\\x23", shown)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """The value of one of its properties, which ends neither the value nor the list."""
    return workflow_text(text).replace(":", "%3A").replace(",", "%2C")


def xml(text: str) -> str:
    """Text without what no XML may hold; the writer of the XML quotes its signs."""
    return harmless("\n".join(terminal(line) for line in text.splitlines()))


def label(text: str) -> str:
    """The value of a Prometheus label, in quotes."""
    shown = _HASHES.sub(r"\\x23", terminal(text))
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def yaml(text: str) -> str:
    """A YAML scalar: JSON's strings are YAML's, but not its way to write what lies beyond four digits."""
    quoted = _HASHES.sub(r"\\u0023", _json.dumps(text, ensure_ascii=False))
    return _UNUSUAL.sub(lambda found: _escaped(found[0], pairs=False), quoted)


def _is_plain(text: str) -> bool:
    """Whether there is nothing in it but letters and line ends; much faster than to look for the rest."""
    return text.replace("\n", "").isprintable()


def _is_unseen(char: str) -> bool:
    """Whether it has no shape of its own, or, as U+FFFE, is no character at all."""
    return unicodedata.category(char) in _UNSEEN or ord(char) & 0xFFFE == 0xFFFE  # noqa: PLR2004 - Unicode


def _escaped(char: str, *, pairs: bool = True) -> str:
    if not _is_unseen(char):
        return char
    if ord(char) <= 0xFFFF:  # noqa: PLR2004 - four digits
        return f"\\u{ord(char):04x}"
    return _json.dumps(char)[1:-1] if pairs else f"\\U{ord(char):08x}"


def _seen(char: str) -> str:
    if not _is_unseen(char):
        return char
    code = ord(char)
    if code <= 0xFF:  # noqa: PLR2004 - one byte
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four digits
