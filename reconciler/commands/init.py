"""init: the files to begin with."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.world import BY_HAND
from reconciler.errors import ExitCode, UsageError
from reconciler.reports.escape import yaml

_LONGEST_NAME: Final = 63
_NO_NAME: Final = ("", BY_HAND)
_SECRETS: Final = b"/secrets/"
_TOKENS: Final = """\
# yaml-language-server: $schema=https://raw.githubusercontent.com/netbird-tokens/netbird-tokens/main/schemas/tokenset.v1.schema.json
apiVersion: netbird-tokens/v1
kind: TokenSet
name: {name}                 # lower-case letters, digits, dashes; unique among your sets
defaults:
  user: current              # a user id, the name of a service user, or the owner of the credential
  expires_in: 90             # days, 1..365; renewed when a third of it is left
  overlap: 7                 # days both the old and the new token work
tokens:
  - name: example
  # - name: terraform
  #   user: ci-bot
  #   protect: true          # removing it takes two steps
"""
_CONFIG: Final = """\
apiVersion: netbird-tokens/v1
kind: Config
# management_url: https://netbird.example.com   # the default is NetBird Cloud
sinks:
  local: {type: file, path: secrets}            # one file per token, mode 0600; keep it out of Git
# guards: {max_revokes: {count: 5, percent: 25}}
"""


def init(desk: Desk, folder: Path) -> ExitCode:
    """Write a commented token file and config, and keep secrets out of Git: all of it, or nothing.

    Raises UsageError; nothing was written then.
    """
    name = re.sub("[^a-z0-9]+", "-", folder.resolve().name.lower())[:_LONGEST_NAME].strip("-")
    files = {
        folder / "tokens.yaml": _TOKENS.format(
            name=yaml(name if name not in _NO_NAME else "tokens")
        ),
        folder / ".netbird-tokens.yaml": _CONFIG,
    }
    for path in files:
        if os.path.lexists(path):  # also a link that leads nowhere
            raise UsageError(f"{path} exists; nothing was written", hint="edit it, or move it away")
    ignore = folder / ".gitignore"
    missing = _missing(ignore)
    written: list[Path] = []
    try:
        for path, content in files.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(content)
        with ignore.open("ab") as file:
            file.write(missing)
    except OSError as error:
        for path in written:
            path.unlink()
        raise UsageError(
            f"{error.filename or folder}: {error.strerror}; nothing was written",
            hint="choose a folder you can write to",
        ) from None
    for path in files:
        desk.show(f"wrote {path}")
    if missing:
        desk.show(f"added {_SECRETS.decode()} to {ignore}")
    desk.note("next: edit tokens.yaml, set NB_PAT, and run `netbird-tokens plan`")
    return ExitCode.OK


def _missing(ignore: Path) -> bytes:
    """What to append to this `.gitignore`, in whatever encoding it is. Raises UsageError."""
    if not os.path.lexists(ignore):
        return _SECRETS + b"\n"
    try:
        if not stat.S_ISREG(ignore.lstat().st_mode):
            raise UsageError(
                f"{ignore} is no plain file, so Git would not heed it; nothing was written",
                hint="make it one, or move it away",
            )
        content = ignore.read_bytes()
    except OSError as error:
        raise UsageError(f"{ignore}: {error.strerror}; nothing was written") from None
    if _SECRETS in content.splitlines():
        return b""
    return (b"" if content.endswith(b"\n") or not content else b"\n") + _SECRETS + b"\n"
