"""How a file that holds secrets is read and replaced (sinks.md §4.1, rules 3 to 5).

A file is replaced whole: written beside its place, flushed, renamed over it, the folder flushed,
and read back. All failures are OSErrors: `Unsafe` where a rule says no, `Unproved` where a write
was made and its outcome is not known; any other means that nothing was changed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Final

from reconciler.sinks.file.trust import (
    Unsafe,
    check_closed,
    check_file,
    check_target,
    located,
)

_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
_NOT_KNOWN_THERE: Final = {errno.ENOTSUP, errno.EINVAL, errno.ENOTTY, errno.EISDIR}
"""How file systems, mostly of networks, say that they cannot do something."""
_END: Final = ".tmp"
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def at_any_time() -> None:
    """The check of a write that is never too late."""


class Unproved(OSError):
    """The write may have happened: an error came after the point where it takes effect."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A new content of the file `name`, on the disk under a name that nobody reads."""

    name: str
    temporary: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder that passed the checks, and what may be done in it by plain names.

    Attributes:
        is_open: Whether everybody may read what is written here: it is encrypted.
    """

    fd: int
    path: Path
    is_open: bool = False

    def place(self, name: str) -> str:
        """The whole path of a file in it, to be read; in text, for a Path costs more than a look."""
        return f"{self.path}/{name}"

    def names(self) -> list[str]:
        return sorted(os.listdir(self.fd))  # noqa: PTH208 - a Path cannot list a descriptor

    def folders(self) -> list[str]:
        """The names of the folders in it; links to folders are none."""
        with os.scandir(self.fd) as entries:
            return sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file that `trust` lets us read; made 0600 if `flags` say so."""
        flags |= _SAFE | os.O_NONBLOCK  # a FIFO must not stop us
        try:
            fd = os.open(name, flags, 0o600, dir_fd=self.fd)
        except OSError as error:
            raise located(error, self.place(name)) from error
        try:
            check_file(os.fstat(fd), self.place(name))
        except OSError:
            os.close(fd)
            raise
        return fd

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None if there is none."""
        try:
            fd = self.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as stream:
            return stream.read()

    def check_closed(self) -> None:
        check_closed(os.fstat(self.fd), str(self.path))

    def check_target(self, name: str) -> None:
        """Refuse a name where something stands that must not be replaced."""
        check = check_file if self.is_open else check_target
        with suppress(FileNotFoundError):
            check(self._stat(name), self.place(name))

    def replace(
        self, name: str, content: bytes, tag: str, check: Callable[[], None] = at_any_time
    ) -> None:
        """Put a whole new content in place, or nothing. Only under a lock. See `draft`, `publish`."""
        self.sweep(name)
        with self.draft(name, content, tag) as draft:
            self.publish(draft, check)

    @contextmanager
    def draft(self, name: str, content: bytes, tag: str) -> Iterator[Draft]:
        """A whole new content, flushed but not in place. Needs no lock: nobody waits for the disk.

        `tag` names the temporary file, so that one left by a killed run is known for what it is.
        """
        self.check_target(name)
        temporary = _temporary(name, tag)
        self._write_new(temporary, content, like=name)
        try:
            yield Draft(name, temporary, content)
        except BaseException:
            self._discard(temporary)
            raise

    def publish(self, draft: Draft, check: Callable[[], None] = at_any_time) -> None:
        """Put a draft in place, or nothing. Only under a lock.

        `check` is asked at the last moment; it raises OSError if it must not be any more.
        """
        name, content = draft.name, draft.content
        self.check_target(name)
        before = self.read(name)
        try:
            check()
            os.rename(draft.temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            self.flush()
            self._check_content(name, content)
        except OSError as error:
            if content != before and self._still_holds(name, before):
                raise
            raise Unproved(error.errno, error.strerror) from error

    def probe(self, name: str, size: int) -> None:
        """Prove that `replace` has the right and the room to write, and leave nothing behind."""
        self.check_target(name)
        temporary = _temporary(name, token_hex(10))
        self.check_target(temporary)  # names have a greatest length
        if (nameless := self._open_nameless()) is not None:
            self._fill(nameless, bytes(size), like=name)
            return
        self._write_new(temporary, bytes(size), like=name)
        self._discard(temporary)
        self.flush()

    def remove(self, name: str) -> None:
        """Remove a file if it is there; for good only after `flush`."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def flush(self) -> None:
        os.fsync(self.fd)

    def sweep(self, *names: str, spare: Collection[Draft] = ()) -> None:
        """Remove what killed runs left of files, and drafts that come too late. Only under a lock."""
        spared = {draft.temporary for draft in spare}
        for each in self.leftovers(*names):
            if each not in spared:
                self._discard(each)

    def leftovers(self, *names: str) -> list[str]:
        """Temporary files of a write that goes on, or that was cut off; one look for all names."""
        return [
            each
            for each in os.listdir(self.fd)  # noqa: PTH208 - see names
            if each.endswith(_END) and any(_is_temporary(each, name) for name in names)
        ]

    def _write_new(self, name: str, content: bytes, like: str) -> None:
        fd = os.open(name, _NEW, 0o600, dir_fd=self.fd)
        try:
            self._fill(fd, content, like)
        except BaseException:
            self._discard(name)
            raise

    def _fill(self, fd: int, content: bytes, like: str) -> None:
        """Write and close; what `like` is allowed and whose it is, the file is, too."""
        with os.fdopen(fd, "wb") as stream:
            os.fchmod(fd, 0o644 if self.is_open else 0o600)
            self._keep_owner(fd, like)
            stream.write(content)
            stream.flush()
            _flush_file(fd)

    def _open_nameless(self) -> int | None:
        """A new file that vanishes even if we are killed; None where the system has no such."""
        if not hasattr(os, "O_TMPFILE"):
            return None
        try:
            return os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in _NOT_KNOWN_THERE:
                raise
        return None

    def _keep_owner(self, fd: int, like: str) -> None:
        """Root replaces a service's file without taking it away from the service."""
        if os.geteuid() == 0:
            with suppress(FileNotFoundError):
                found = self._stat(like)
                os.fchown(fd, found.st_uid, found.st_gid)

    def _check_content(self, name: str, content: bytes) -> None:
        if self.read(name) != content:
            raise OSError(errno.EIO, "it reads back differently from what was written")

    def _still_holds(self, name: str, content: bytes | None) -> bool:
        with suppress(OSError):
            return self.read(name) == content
        return False

    def _stat(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def _discard(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self.fd)


def _temporary(name: str, tag: str) -> str:
    if not _TAG.fullmatch(tag):
        raise Unsafe("the token's id cannot be part of a file name")
    return f".{name}.{tag}{_END}"


def _is_temporary(file: str, name: str) -> bool:
    start = f".{name}."  # A tag has no dot: `.env.local` is another file than `.env`.
    return file.startswith(start) and bool(_TAG.fullmatch(file[len(start) : -len(_END)]))


def _flush_file(fd: int) -> None:
    """To the platter: on macOS fsync alone leaves it in the drive's cache."""
    fully: int | None = getattr(fcntl, "F_FULLFSYNC", None)
    if fully is not None:
        try:
            fcntl.fcntl(fd, fully)
        except OSError as error:
            if error.errno not in _NOT_KNOWN_THERE:
                raise
        else:
            return
    os.fsync(fd)
