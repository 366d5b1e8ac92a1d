"""What a failed system call means to the core: refused, unsure or unread, said for people."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks.file.safe_fs import Unproved
from reconciler.sinks.file.trust import Unsafe
from reconciler.sinks.receipt_text import Garbled

_ADVICE: Final[Mapping[int | None, str]] = {
    errno.EACCES: "run as a user who may, or change owner and mode",
    errno.EPERM: "run as a user who may, or change owner and mode",
    errno.ENOSPC: "free some space, then run again",
    errno.EDQUOT: "free some space, then run again",
    errno.EROFS: "choose a place that can be written to",
    errno.ENAMETOOLONG: "choose a shorter key",
    errno.EIO: "check the disk",
}


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Failures before anything was changed are SinkRefused; Unproved is SinkUnsure."""
    try:
        yield
    except Unproved as error:
        raise _unsure(path, error) from error
    except (OSError, Garbled) as error:
        raise SinkRefused(f"cannot write {path}: {_why(error)}", hint=_hint(error)) from error


@contextmanager
def unsure(path: Path) -> Iterator[None]:
    """A part is written already: every failure is SinkUnsure."""
    try:
        yield
    except OSError as error:
        raise _unsure(path, error) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Every failure is SinkUnread."""
    try:
        yield
    except (OSError, Garbled) as error:
        raise SinkUnread(f"cannot read {path}: {_why(error)}", hint=_hint(error)) from error


def unread(error: OSError) -> Unread:
    """The answer for one key."""
    return Unread(". ".join(filter(None, (_why(error), _hint(error)))))


def _unsure(path: Path, error: OSError) -> SinkUnsure:
    return SinkUnsure(
        f"{path} may or may not have been written: {_why(error)}",
        hint="run the same command again: it looks before it writes",
    )


def _why(error: OSError | Garbled) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error)


def _hint(error: OSError | Garbled) -> str:
    match error:
        case Unsafe():
            return error.hint
        case OSError():
            return _ADVICE.get(error.errno, "")
        case _:
            return "mend it by hand, or restore it from a backup"
