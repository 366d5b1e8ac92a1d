"""Where encrypted files are kept: what a place must offer, and the plainest one, a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from reconciler.core.keys import PATH_KEYS
from reconciler.core.tokens import Unread
from reconciler.sinks.file.faults import reading, refusing, unread, unsure
from reconciler.sinks.file.lock import PATIENCE, check_lock, writing
from reconciler.sinks.file.safe_fs import Folder
from reconciler.sinks.file.safe_walk import (
    folders_below,
    make_folder,
    nearest_folder,
    open_folder,
)
from reconciler.sinks.file_watch import Watch
from reconciler.transaction import awake_or_not

LOCK: Final = ".netbird-tokens.lock"
_ROOM: Final = 4096

Content = bytes | None
"""Of a file; None: there is none."""
Change = Callable[[Content], Content]
"""From what a file holds to what it shall hold; raises Changed where that is not what was expected."""


class Files(Protocol):
    """A place for files. Writers raise SinkRefused, Changed or SinkUnsure; readers SinkUnread."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    def path(self, file: str) -> Path:
        """Where a consumer has the file, for programs that go by names."""
        ...

    def all(self, endings: tuple[str, ...]) -> Mapping[str, bytes | Unread]:
        """Every file that ends so, in one look."""
        ...

    def read(self, file: str) -> Content:
        """One file; None if it is proved not to be there."""
        ...

    def probe(self, file: str) -> None:
        """Prove that `write` would be allowed, and leave nothing behind. Raises SinkRefused."""
        ...

    def write(self, file: str, change: Change, tag: str) -> None:
        """Change one file, while nobody else does.

        `tag` is the token's id, for names of temporary files and for messages; empty for what is of no
        token. Raises what `change` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """A folder of this machine, whose files anybody may read: they are encrypted.

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
    def name(self) -> str:
        return str(self.folder)

    def path(self, file: str) -> Path:
        return self.folder / file

    def all(self, endings: tuple[str, ...]) -> Mapping[str, bytes | Unread]:
        found: dict[str, bytes | Unread] = {}
        with reading(self.folder):
            for at, folder in folders_below(self.folder, PATH_KEYS.accepts):
                for name in folder.names():
                    content = _content(folder, name) if name.endswith(endings) else None
                    if content is not None:
                        found[str(at / name)] = content
        return found

    def read(self, file: str) -> Content:
        path = self.path(file)
        with reading(path), suppress(FileNotFoundError), open_folder(path.parent) as folder:
            return folder.read(path.name)
        return None

    def probe(self, file: str) -> None:
        path = self.path(file)
        with refusing(path), nearest_folder(self.folder) as root:
            check_lock(root, LOCK)
            if root.path == self.folder:
                self._check(root)
            with _open_to_all(nearest_folder, path.parent) as folder:
                if folder.path == path.parent:
                    self._check(folder)
                folder.probe(path.name, _ROOM)

    def write(self, file: str, change: Change, tag: str) -> None:
        path, watch = self.path(file), Watch(self.clock)
        with (
            refusing(path),
            make_folder(self.folder) as root,
            writing(root, LOCK, self.patience),
            _open_to_all(make_folder, path.parent) as folder,
        ):
            self._check(folder)
            after = change(folder.read(path.name))
            if after is not None:
                folder.replace(path.name, after, tag or "other", watch.check)
                return
            folder.sweep(path.name)
            with unsure(path):
                folder.remove(path.name)
                folder.flush()

    def _check(self, folder: Folder) -> None:
        if self.strict:
            folder.check_closed()


@contextmanager
def _open_to_all(
    way: Callable[[Path], AbstractContextManager[Folder]], path: Path
) -> Iterator[Folder]:
    with way(path) as folder:
        yield replace(folder, is_open=True)


def _content(folder: Folder, name: str) -> bytes | Unread | None:
    try:
        return folder.read(name)
    except OSError as error:
        return unread(error)
