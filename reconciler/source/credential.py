"""Our own credential in a file of its own (`--token-file`)."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path
from typing import Final

from reconciler.core.secret import Secret
from reconciler.errors import UsageError

_ANYBODY: Final = 0o007
_ROOM: Final = 4096
"""Bytes; more than a token needs."""


def read_credential(path: Path) -> Secret:
    """The credential in a file that not everybody on this machine may read. Raises UsageError.

    A group may: that is how Kubernetes hands a secret to a process that is not root. Pipes are fine.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read(_ROOM).decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="check --token-file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text", hint="check --token-file") from None
    if stat.S_ISREG(mode) and mode & _ANYBODY:
        raise UsageError(
            f"{path} holds a credential, and everybody on this machine may open it "
            f"(mode {stat.S_IMODE(mode):04o})",
            hint=f"chmod 600 {shlex.quote(str(path))}; for a mounted secret, set its mode to 0400 or 0440",
        )
    return Secret(lines[0].strip() if lines else "")
