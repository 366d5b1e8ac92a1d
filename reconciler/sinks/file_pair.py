"""One secret of the `raw` format: a file with the value, and one with its receipt beside it.

The receipt's name is one that no key can have, for no part of a key starts with a dot. Two files cannot
change in one step, so the receipt goes first: a crash in between leaves a receipt that does not fit
the value, never a value that no receipt names. Removing goes the other way round.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from reconciler.core.keys import PATH_KEYS
from reconciler.core.receipts import Absent, Damaged, Lookup, Receipt, Stored, receipt_of
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId
from reconciler.sinks.file.faults import unread, unsure
from reconciler.sinks.file.safe_fs import Folder
from reconciler.sinks.receipt_text import Found, receipt_to_json, to_text

_RECEIPT: Final = ".netbird-tokens.json"


def receipt_name(name: str) -> str:
    """Of the file beside the value of this name."""
    return f".{name}{_RECEIPT}"


def receipt_line(receipt: Receipt) -> bytes:
    """What stands in it."""
    return f"{to_text(receipt_to_json(receipt))}\n".encode()


def described_in(names: Collection[str]) -> set[str]:
    """Of which values there are receipts."""
    ours = (each for each in names if each.startswith(".") and each.endswith(_RECEIPT))
    return {name for each in ours if PATH_KEYS.accepts(name := each[1 : -len(_RECEIPT)])}


def held(folder: Folder, name: str) -> Stored | Damaged | Absent:
    """Raises OSError."""
    receipt, value = folder.read(receipt_name(name)), folder.read(name)
    return Found(
        None if receipt is None else receipt.decode(errors="replace"),
        None if value is None else Secret(value.decode(errors="replace")),
    ).judged()


def look(folder: Folder, name: str) -> Lookup:
    """As `held`, but what cannot be read is Unread."""
    try:
        return held(folder, name)
    except OSError as error:
        return unread(error)


def is_bare(folder: Folder, name: str) -> bool:
    """Whether there is nothing, nor anything left of a killed write."""
    left = folder.leftovers(name, receipt_name(name))
    return not left and isinstance(held(folder, name), Absent)


def remove(folder: Folder, path: Path, token: TokenId) -> bool:
    """Take both files away if the receipt names this token; whether it did."""
    folder.sweep(path.name, receipt_name(path.name))
    found = held(folder, path.name)
    receipt = receipt_of(found)
    if receipt is None or receipt.token.id != token:
        return False
    if isinstance(found, Stored):
        folder.remove(path.name)
    with unsure(path):
        folder.remove(receipt_name(path.name))
        folder.flush()
    return True
