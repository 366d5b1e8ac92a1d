"""Files with one encrypted token each: what programs make of them, and the record that we add in clear.

Whoever writes such files needs only public keys, and has only these. So nobody here can read a value
back: a record is bound to its value by a digest of the encrypted text beside it. What another person
encrypts in its place is seen, and what is there is never taken for the token that was meant.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from reconciler.sinks.receipt_text import Found


class Cipher(Protocol):
    """One format of encrypted files, and the program that makes them."""

    @property
    def suffix(self) -> str:
        """How the names of such files end."""
        ...

    @property
    def readers(self) -> str:
        """A word for those whom it encrypts for, to be noted; empty where a file itself says it."""
        ...

    def is_for(self, readers: str, text: str) -> bool:
        """Whether a file is for those whom it would be for now, as far as can be told."""
        ...

    def encrypt(self, plain: str, path: Path) -> str:
        """A whole new file that holds this token, for this place. Raises SinkRefused."""
        ...

    def sealed(self, text: str) -> str:
        """The encrypted value in a file, as it is written; empty if there is none."""
        ...

    def record(self, text: str) -> str | None:
        """The one line that `with_record` wrote; None if there is none."""
        ...

    def with_record(self, text: str, record: str) -> str:
        """The file with another record, and nothing else changed. Raises Garbled."""
        ...


def found_in(cipher: Cipher, text: str) -> Found:
    """What a file says, and whether its value is the one that its receipt was written for."""
    record = cipher.record(text)
    if record is None:
        return Found(bound=False)
    head, _, receipt = record.partition(" ")
    digest = head.partition(".")[0]
    sealed = cipher.sealed(text)
    return Found(receipt, bound=bool(sealed) and digest == _digest(receipt, sealed))


def readers_of(cipher: Cipher, text: str) -> str:
    """The readers that are noted in a file; empty where none are."""
    return (cipher.record(text) or "").partition(" ")[0].partition(".")[2]


def with_receipt(cipher: Cipher, text: str, receipt: str, readers: str) -> str:
    """The file, vouching for the value that it holds. Raises Garbled."""
    noted = f".{readers}" if readers else ""
    return cipher.with_record(text, f"{_digest(receipt, cipher.sealed(text))}{noted} {receipt}")


def _digest(receipt: str, sealed: str) -> str:
    """Says which receipt and which encrypted text were written together; tells nothing of a token."""
    text = f"{receipt}\n{sealed}".encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]
