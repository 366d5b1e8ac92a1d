"""The one type that carries a secret, and what may be said about a secret without telling it.

A NetBird token is `nbp_`, 30 random base62 characters and a 6-character checksum: the CRC-32 of the
30, in base62, padded with zeros (netbird-api.md §4).
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import Final, NoReturn

_SHAPE: Final = re.compile(r"nbp_([0-9A-Za-z]{30})([0-9A-Za-z]{6})")
_ANYWHERE: Final = re.compile(f"(?={_SHAPE.pattern})")
_AGE: Final = "AGE-SECRET-KEY-"
_AGE_KEY: Final = re.compile(f"{_AGE}[0-9A-Za-z-]+")
"""What decrypts a file of an `age` or `sops` sink; people paste it where the public key belongs."""
_TELLING: Final = re.compile(r"nbp_[0-9A-Za-z_]{20,}|bmJwX[0-9A-Za-z+/_-]{25,}={0,2}")
"""Too much of a token: whole, cut off, or grown together with another; the second is base64."""
_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FINGERPRINT_DOMAIN: Final = b"netbird-tokens/fp/v1\0"


class Secret:
    """A token's plain text. It has no content in repr, str, format, equality, JSON, copy or pickle."""

    __slots__ = ("__plain",)

    def __init__(self, plain: str) -> None:
        self.__plain = plain

    def reveal(self) -> str:
        """The plain text. Called in `sinks`, in `http`'s headers, and by `create --show-once` only."""
        return self.__plain

    def fingerprint(self) -> str:
        """Sixteen letters that recognise this secret; safe to publish (178 bits of entropy behind)."""
        # A sink may hold what is no text, and an encoding error would carry all of it away.
        plain = self.__plain.encode(errors="surrogatepass")
        digest = hashlib.sha256(_FINGERPRINT_DOMAIN + plain).digest()
        return base64.b32encode(digest[:10]).decode().lower()

    def is_well_formed(self) -> bool:
        """Whether it is a whole NetBird token with the right checksum."""
        shape = _SHAPE.fullmatch(self.__plain)
        return shape is not None and checksum(shape[1]) == shape[2]

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __bool__(self) -> bool:
        return True


def checksum(body: str) -> str:
    """The six characters that NetBird appends to the 30 random ones."""
    number, digits = zlib.crc32(body.encode()), ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(6, "0")


def hide_tokens(text: str) -> str:
    """The text with everything blacked out that tells a NetBird token, or most of one, or a key of age."""
    if _AGE in text:
        text = _AGE_KEY.sub(f"{_AGE}***", text)
    return _TELLING.sub("nbp_***", text)


def holds_token(text: str) -> bool:
    """Whether a real token, checksum and all, stands somewhere in the text."""
    return any(True for _ in tokens_in(text))


def tokens_in(text: str) -> Iterator[int]:
    """Where in the text real tokens begin."""
    if "nbp_" in text:  # for all that large files without one have to say
        for at in _ANYWHERE.finditer(text):
            if checksum(at[1]) == at[2]:
                yield at.start()
