"""Which files and folders may hold secrets (sinks.md §4.1, rules 1 and 3).

A folder on the way belongs to us or root, and nobody else can write to it; one with the sticky bit,
such as `/tmp`, may stand above the last folder. A file is a regular one with a single name, ours or
root's (root serves everybody's), and nobody else can write to it. To be replaced it must be closed
to all others: a reader of the old secret would get the new one, too.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

MAX_BYTES: Final = 64 * 1024 * 1024

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ANY: Final = stat.S_IRWXG | stat.S_IRWXO
_WORLD_LOOKS: Final = stat.S_IROTH | stat.S_IXOTH


class Unsafe(OSError):
    """A rule says no. `hint` says what makes it right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def check_way(found: os.stat_result, path: str) -> None:
    """A folder above the last one."""
    if not found.st_mode & stat.S_ISVTX:
        check_folder(found, path)
    else:
        _check_owner(found, path)


def check_folder(found: os.stat_result, path: str) -> None:
    """The folder that holds the files."""
    _check_owner(found, path)
    if found.st_mode & _OTHERS_WRITE:
        raise Unsafe(f"others can write to {path}", f"chmod go-w {path}")


def check_closed(found: os.stat_result, path: str) -> None:
    """What `strict` asks of the folder that holds the files."""
    if found.st_mode & _WORLD_LOOKS:
        raise Unsafe(f"{path} is open to every user (strict)", f"chmod o-rx {path}")


def check_file(found: os.stat_result, path: str) -> None:
    """A file that we read."""
    if not stat.S_ISREG(found.st_mode):
        raise Unsafe(f"{path} is no regular file", "move it away, or choose another place")
    if found.st_nlink > 1:  # none at all: replaced while we read; what we have is whole, and old
        raise Unsafe(f"{path} has a second name (hard link)", f"find it, then remove {path}")
    if os.geteuid() != 0:
        _check_owner(found, path)
    if found.st_mode & _OTHERS_WRITE:
        raise Unsafe(f"others can write to {path}", f"chmod 600 {path}")
    if found.st_size > MAX_BYTES:
        raise Unsafe(f"{path} is larger than {MAX_BYTES >> 20} MiB", "use a file of its own")


def check_target(found: os.stat_result, path: str) -> None:
    """A file that we replace."""
    check_file(found, path)
    if found.st_mode & _OTHERS_ANY:
        mode = stat.S_IMODE(found.st_mode)
        raise Unsafe(f"{path} has mode {mode:04o}: others can open it", f"chmod 600 {path}")


def located(error: OSError, path: str) -> OSError:
    """The error with its whole path; ELOOP and ENOTDIR are how O_NOFOLLOW refuses a link."""
    if error.errno == errno.ELOOP:
        return Unsafe(f"{path} is a symbolic link", "give the path that it leads to")
    if error.errno == errno.ENOTDIR:
        return Unsafe(
            f"{path} is no folder, or a symbolic link", "move it away, or choose another place"
        )
    return OSError(error.errno, error.strerror, path)


def _check_owner(found: os.stat_result, path: str) -> None:
    if found.st_uid not in {0, os.geteuid()}:
        raise Unsafe(f"{path} belongs to another user", f"chown {os.geteuid()} {path}")
