"""The `raw` format: one file per secret, that holds the token and nothing else, no newline either.

Receipts stand beside the values (`file_pair`). Readers that see a misfit look again while nobody writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from reconciler.core.keys import PATH_KEYS
from reconciler.core.ports import Power
from reconciler.core.receipts import (
    Absent,
    Damaged,
    Inventory,
    Lookup,
    Receipt,
    Registration,
    SetName,
    Version,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, Unread
from reconciler.sinks.conditions import check_amend, check_key, check_put, check_set, plain
from reconciler.sinks.file.faults import reading, refusing, unread, unsure
from reconciler.sinks.file.lock import PATIENCE, check_lock, still, writing
from reconciler.sinks.file.safe_fs import Folder
from reconciler.sinks.file.safe_walk import (
    exists,
    folders_below,
    make_folder,
    nearest_folder,
    open_folder,
)
from reconciler.sinks.file_pair import (
    described_in,
    held,
    is_bare,
    look,
    receipt_line,
    receipt_name,
    remove,
)
from reconciler.sinks.file_watch import Watch
from reconciler.sinks.receipt_text import registration_from_text, registration_to_json, to_text
from reconciler.transaction import awake_or_not

_LOCK: Final = ".netbird-tokens.lock"
_REGISTRATION: Final = ".registration.json"
_ROOM: Final = 4096
"""Bytes; more than a token or its receipt need."""


@dataclass(frozen=True, slots=True)
class RawSink:
    """A folder of secrets.

    Attributes:
        folder: Absolute, without symbolic links. Made when first written to.
        strict: Whether folders that everybody can look into are refused.
        patience: How many seconds to wait for another process that writes.
        clock: Seconds from any start; how long a write takes is judged by it.
    """

    folder: Path
    strict: bool
    patience: float = PATIENCE
    clock: Callable[[], float] = awake_or_not

    @property
    def power(self) -> Power:
        return Power.CONDITIONAL

    def inventory(self, keys: Collection[str]) -> Inventory:
        with reading(self.folder):
            registrations = self._registrations()
            seen = dict(self._survey(keys))
            self._look_again(seen)
        entries = {key: each for key, each in seen.items() if not isinstance(each, Absent)}
        return Inventory(entries, registrations)

    def read(self, key: str) -> Lookup:
        seen = {key: self._look(key)}
        with reading(self.folder):
            self._look_again(seen)
        return seen[key]

    def preflight(self, key: str) -> None:
        path = self._path(key)
        with refusing(path), nearest_folder(self.folder) as root:
            check_lock(root, _LOCK)
            if root.path == self.folder:
                self._check_folder(root)
            with nearest_folder(path.parent) as folder:
                if folder.path == path.parent:
                    self._check_folder(folder)
                    folder.check_target(path.name)
                folder.probe(receipt_name(path.name), _ROOM)

    def register(self, registration: Registration) -> None:
        path = self.folder / f".{registration.set}{_REGISTRATION}"
        with refusing(path), self._locked(make_folder) as root:
            check_set(registration.set)
            self._check_folder(root)
            content = f"{to_text(registration_to_json(registration))}\n".encode()
            root.replace(path.name, content, "registration")

    def put(self, key: str, secret: Secret, receipt: Receipt, expect: Version) -> None:
        path, text = self._path(key), plain(secret)
        line, tag, watch = receipt_line(receipt), receipt.token.id, Watch(self.clock)
        with refusing(path), make_folder(path.parent) as folder:
            self._check_folder(folder)
            with (
                folder.draft(path.name, text.encode(), tag) as value,
                folder.draft(receipt_name(path.name), line, tag) as described,
                self._locked(make_folder),
            ):
                check_put(path, held(folder, path.name), receipt, expect)
                folder.sweep(described.name, value.name, spare=(described, value))
                folder.publish(described, watch.check)
                with unsure(path):
                    folder.publish(value, watch.check)

    def amend(self, key: str, receipt: Receipt, expect: Version) -> None:
        path = self._path(key)
        with (
            refusing(path),
            self._locked(open_folder),
            open_folder(path.parent) as folder,
        ):
            check_amend(path, held(folder, path.name), receipt, expect)
            line = receipt_line(receipt)
            folder.replace(receipt_name(path.name), line, receipt.token.id)

    def delete(self, key: str, token: TokenId) -> bool:
        """A value that the receipt does not describe is not ours; what a killed write left goes."""
        path = self._path(key)
        with refusing(path):
            try:
                with open_folder(path.parent) as folder:
                    if is_bare(folder, path.name):
                        return False  # not even a lock file is made
                with self._locked(open_folder), open_folder(path.parent) as folder:
                    return remove(folder, path, token)
            except FileNotFoundError:
                return False

    def _path(self, key: str) -> Path:
        check_key(PATH_KEYS, key)
        return self.folder / key

    def _check_folder(self, folder: Folder) -> None:
        if self.strict:
            folder.check_closed()

    @contextmanager
    def _locked(self, way: Callable[[Path], AbstractContextManager[Folder]]) -> Iterator[Folder]:
        with way(self.folder) as root, writing(root, _LOCK, self.patience):
            yield root

    def _registrations(self) -> dict[SetName, Registration]:
        found = {}
        with suppress(FileNotFoundError), open_folder(self.folder) as root:
            for name in root.names():
                if name.endswith(_REGISTRATION) and (content := root.read(name)) is not None:
                    registration = registration_from_text(content.decode(errors="replace"))
                    found[registration.set] = registration
        return found

    def _survey(self, keys: Collection[str]) -> Iterator[tuple[str, Lookup]]:
        """All receipts, and what is at `keys`; no link is followed."""
        good = set(filter(PATH_KEYS.accepts, keys))
        asked = _by_folder(good)
        for at, folder in folders_below(self.folder, PATH_KEYS.accepts):
            present, names = set(folder.names()), asked.pop(at, set())
            for name in sorted(described_in(present) | (names & present)):
                yield str(at / name), look(folder, name)
        there = [(at, names) for at, names in asked.items() if exists(self.folder / at)]
        unseen = [at / name for at, names in there for name in names]
        yield from ((key, self._look(key)) for key in (*map(str, unseen), *(set(keys) - good)))

    def _look(self, key: str) -> Lookup:
        path = self.folder / key
        if not PATH_KEYS.accepts(key):
            return Unread(f"a key of this sink is made of {PATH_KEYS.advice}")
        try:
            with open_folder(path.parent) as folder:
                return look(folder, path.name)
        except FileNotFoundError:
            return Absent()
        except OSError as error:
            return unread(error)

    def _look_again(self, seen: dict[str, Lookup]) -> None:
        """A misfit may be another run's write, half done."""
        misfits = [key for key, each in seen.items() if isinstance(each, Damaged)]
        if misfits:
            with open_folder(self.folder) as root, still(root, _LOCK, self.patience):
                seen.update({key: self._look(key) for key in misfits})


def _by_folder(keys: Collection[str]) -> dict[PurePosixPath, set[str]]:
    found: dict[PurePosixPath, set[str]] = {}
    for key in keys:
        at, _, name = key.rpartition("/")
        found.setdefault(PurePosixPath(at), set()).add(name)
    return found
