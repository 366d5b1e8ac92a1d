"""The way to a folder that holds secrets (sinks.md §4.1, rule 1).

A path is walked from `/` by descriptors, never through a symbolic link, and `trust` judges every
folder on it. All failures are OSErrors; FileNotFoundError means that somebody could look and that
it is not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

from reconciler.sinks.file.safe_fs import Folder
from reconciler.sinks.file.trust import check_folder, check_way, located

_SAFE: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASS: Final = _SAFE | getattr(os, "O_PATH", os.O_RDONLY)  # O_PATH: passing needs no right to list
_LOOK: Final = _SAFE | os.O_RDONLY


@contextmanager
def open_folder(path: Path) -> Iterator[Folder]:
    """A folder that exists. Raises FileNotFoundError only if it is proved not to."""
    with _walked(path, _enter) as folder:
        check_folder(os.fstat(folder.fd), str(path))
        yield folder


@contextmanager
def make_folder(path: Path) -> Iterator[Folder]:
    """A folder, made with all that lead to it (0700) where they do not exist yet."""
    with _walked(path, _enter_or_make) as folder:
        check_folder(os.fstat(folder.fd), str(path))
        yield folder


@contextmanager
def nearest_folder(path: Path) -> Iterator[Folder]:
    """The folder, or the closest one above it that exists: where `make_folder` would begin."""
    with ExitStack() as stack:
        folder = _nearest(path, stack)
        check = check_folder if folder.path == path else check_way
        check(os.fstat(folder.fd), str(folder.path))
        yield folder


def folders_below(
    root: Path, accepts: Callable[[str], bool]
) -> Iterator[tuple[PurePosixPath, Folder]]:
    """A folder and all below it whose names are accepted, open while they are looked at.

    No link is followed; a folder that is not there, or gone meanwhile, is passed over.
    """
    pending = [PurePosixPath()]
    while pending:
        at = pending.pop()
        with suppress(FileNotFoundError), open_folder(root / at) as folder:
            yield at, folder
            pending += [at / name for name in folder.folders() if accepts(name)]


def exists(path: Path) -> bool:
    """False only if it is proved not to; whoever opens the folder hears what else is wrong."""
    try:
        with _walked(path, _enter):
            return True
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _nearest(path: Path, stack: ExitStack) -> Folder:
    while True:
        try:
            return stack.enter_context(_walked(path, _enter))
        except FileNotFoundError:
            path = path.parent


@contextmanager
def _walked(path: Path, step: Callable[[int, str], int]) -> Iterator[Folder]:
    fd, here = os.open("/", _PASS), "/"
    try:
        for part in path.relative_to("/").parts:
            check_way(os.fstat(fd), here)
            here = os.path.join(here, part)  # noqa: PTH118 - every step would make a Path of its own
            try:
                below = step(fd, part)
            except OSError as error:
                raise located(error, here) from error
            os.close(fd)
            fd = below
        looking = os.open(".", _LOOK, dir_fd=fd)
    finally:
        os.close(fd)
    try:
        yield Folder(looking, path)
    finally:
        os.close(looking)


def _enter(fd: int, name: str) -> int:
    return os.open(name, _PASS, dir_fd=fd)


def _enter_or_make(fd: int, name: str) -> int:
    with suppress(FileNotFoundError):
        return _enter(fd, name)
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=fd)
    above = os.open(".", _LOOK, dir_fd=fd)
    try:
        os.fsync(above)
    finally:
        os.close(above)
    return _enter(fd, name)
