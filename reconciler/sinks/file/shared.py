"""Many secrets in one file: value and receipt change in one atomic replacement of the file.

Only our keys are touched, under a lock, after reading the file again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from reconciler.core.keys import VARIABLE_KEYS
from reconciler.core.ports import Power
from reconciler.core.receipts import (
    Absent,
    Damaged,
    Inventory,
    Lookup,
    Receipt,
    Registration,
    SetName,
    Stored,
    Version,
    receipt_of,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId
from reconciler.sinks.conditions import check_amend, check_key, check_put, check_set, plain
from reconciler.sinks.file.faults import reading, refusing
from reconciler.sinks.file.lock import PATIENCE, check_lock, writing
from reconciler.sinks.file.safe_fs import Folder
from reconciler.sinks.file.safe_walk import make_folder, nearest_folder, open_folder
from reconciler.sinks.file_watch import Watch
from reconciler.sinks.receipt_text import (
    Found,
    receipt_to_json,
    registration_from_text,
    registration_to_json,
    to_text,
)
from reconciler.transaction import awake_or_not

_ROOM: Final = 4096


class Document(Protocol):
    """A file format: what it holds, and the same file with one thing changed."""

    def encode(self) -> bytes: ...
    def found(self) -> Mapping[str, Found]: ...
    def registrations(self) -> Mapping[str, str]: ...
    def with_value(self, key: str, token: str) -> Self: ...
    def with_receipt(self, key: str, text: str) -> Self: ...
    def with_registration(self, set_name: str, text: str) -> Self: ...
    def without_value(self, key: str) -> Self: ...
    def without_receipt(self, key: str) -> Self: ...


@dataclass(frozen=True, slots=True)
class SharedSink:
    """One file of secrets.

    Attributes:
        file: Absolute, without symbolic links.
        strict: Whether a folder that everybody can look into is refused.
        parse: From the bytes of the file to its document; raises Garbled.
        patience: How many seconds to wait for another process that writes.
        clock: Seconds from any start; how long a write takes is judged by it.
    """

    file: Path
    strict: bool
    parse: Callable[[bytes], Document]
    patience: float = PATIENCE
    clock: Callable[[], float] = awake_or_not

    @property
    def power(self) -> Power:
        return Power.CONDITIONAL

    def inventory(self, keys: Collection[str]) -> Inventory:
        with reading(self.file):
            document = self._document()
            found = document.found()
            judged = {
                key: each.judged()
                for key, each in found.items()
                if each.receipt is not None or key in keys
            }
            entries: dict[str, Stored | Damaged] = {
                key: each for key, each in judged.items() if not isinstance(each, Absent)
            }
            known = map(registration_from_text, document.registrations().values())
            registrations: dict[SetName, Registration] = {each.set: each for each in known}
        return Inventory(entries, registrations)

    def read(self, key: str) -> Lookup:
        with reading(self.file):
            return _held(self._document(), key)

    def preflight(self, key: str) -> None:
        check_key(VARIABLE_KEYS, key)
        with refusing(self.file), nearest_folder(self.file.parent) as folder:
            check_lock(folder, self._lock)
            if folder.path == self.file.parent:
                self._check_folder(folder)
                folder.check_target(self.file.name)
                self._parsed(folder).found()
            # Not under the file's own name: above its folder another file may have that name.
            folder.probe(self._lock, _ROOM)

    def register(self, registration: Registration) -> None:
        check_set(registration.set)
        text = to_text(registration_to_json(registration))
        with refusing(self.file), self._changing() as folder:
            document = self._parsed(folder)
            self._replace(
                folder, document.with_registration(registration.set, text), "registration"
            )

    def put(self, key: str, secret: Secret, receipt: Receipt, expect: Version) -> None:
        check_key(VARIABLE_KEYS, key)
        token, text = plain(secret), to_text(receipt_to_json(receipt))
        watch = Watch(self.clock)
        with refusing(self.file), self._changing() as folder:
            document = self._parsed(folder)
            check_put(f"{self.file}#{key}", _held(document, key), receipt, expect)
            changed = document.with_value(key, token).with_receipt(key, text)
            folder.replace(self.file.name, changed.encode(), receipt.token.id, watch.check)

    def amend(self, key: str, receipt: Receipt, expect: Version) -> None:
        text = to_text(receipt_to_json(receipt))
        with refusing(self.file), self._changing(open_folder) as folder:
            document = self._parsed(folder)
            check_amend(f"{self.file}#{key}", _held(document, key), receipt, expect)
            self._replace(folder, document.with_receipt(key, text), receipt.token.id)

    def delete(self, key: str, token: TokenId) -> bool:
        """A value that the receipt does not describe is not ours; what a killed write left goes."""
        with refusing(self.file):
            if self._is_bare(key):
                return False  # neither folder nor lock file is made
            return self._delete(key, token)

    @property
    def _lock(self) -> str:
        return f".{self.file.name}.lock"

    def _is_bare(self, key: str) -> bool:
        try:
            with open_folder(self.file.parent) as folder:
                left = folder.leftovers(self.file.name)
                return not left and isinstance(_held(self._parsed(folder), key), Absent)
        except FileNotFoundError:
            return True

    def _delete(self, key: str, token: TokenId) -> bool:
        with self._changing(open_folder) as folder:
            folder.sweep(self.file.name)
            document = self._parsed(folder)
            held = _held(document, key)
            receipt = receipt_of(held)
            if receipt is None or receipt.token.id != token:
                return False
            bare = document.without_receipt(key)
            self._replace(
                folder, bare.without_value(key) if isinstance(held, Stored) else bare, token
            )
        return True

    def _check_folder(self, folder: Folder) -> None:
        if self.strict:
            folder.check_closed()

    @contextmanager
    def _changing(
        self, way: Callable[[Path], AbstractContextManager[Folder]] = make_folder
    ) -> Iterator[Folder]:
        with (
            way(self.file.parent) as folder,
            writing(folder, self._lock, self.patience),
        ):
            self._check_folder(folder)
            folder.check_target(self.file.name)
            yield folder

    def _document(self) -> Document:
        try:
            with open_folder(self.file.parent) as folder:
                return self._parsed(folder)
        except FileNotFoundError:
            return self.parse(b"")

    def _parsed(self, folder: Folder) -> Document:
        return self.parse(folder.read(self.file.name) or b"")

    def _replace(self, folder: Folder, document: Document, tag: str) -> None:
        folder.replace(self.file.name, document.encode(), tag)


def _held(document: Document, key: str) -> Stored | Damaged | Absent:
    return document.found().get(key, Found()).judged()
