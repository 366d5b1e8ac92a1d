"""init, validate, doctor: from nothing to tokens in Git."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.people import Directory
from reconciler.core.receipts import SetName
from reconciler.core.tokens import User
from reconciler.errors import ExitCode, Forbidden, InputError, NetbirdTokensError, UsageError
from reconciler.reports.escape import terminal
from reconciler.reports.lines import ago
from reconciler.source.problems import told
from reconciler.wiring import Parts

_POWERFUL: Final = ("admin", "owner")

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
    """Write a commented token file and config, and keep secrets out of Git."""
    name = "".join(c if c.isalnum() else "-" for c in folder.resolve().name.lower()).strip("-")
    files = {
        folder / "tokens.yaml": _TOKENS.format(name=name if name.isascii() and name else "tokens"),
        folder / ".netbird-tokens.yaml": _CONFIG,
    }
    for path in files:
        if path.exists():
            raise UsageError(f"{path} exists; nothing was written", hint="edit it, or move it away")
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")
        desk.show(f"wrote {path}")
    ignore = folder / ".gitignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    if "/secrets/" not in lines:
        ignore.write_text("\n".join([*lines, "/secrets/"]) + "\n", encoding="utf-8")
        desk.show(f"added /secrets/ to {ignore}")
    desk.note("next: edit tokens.yaml, set NB_PAT, and run `netbird-tokens plan`")
    return ExitCode.OK


def validate(parts: Parts, desk: Desk) -> ExitCode:
    """Check the files without any network. Raises InputError with every problem."""
    loaded = parts.loaded
    for problem in told(loaded.warnings):
        desk.note(problem)
    found = loaded.token_set
    files = ", ".join(str(path) for path in parts.files)
    absent = f", {len(found.tombstones)} absent" if found.tombstones else ""
    desk.show(f"{files}: valid; set {found.name}, {len(found.specs)} tokens{absent}")
    return ExitCode.OK


def doctor(parts: Parts, desk: Desk, *, show_config: bool) -> ExitCode:
    """Check everything that an apply needs, and say what is wrong with each."""
    if show_config:
        for setting in parts.settings():
            desk.show(f"{setting.name:<22} {setting.value}   ({setting.source or '–'})")
    worst = ExitCode.OK
    for check, found in _checks(parts, desk):
        if isinstance(found, NetbirdTokensError):
            desk.show("\n".join([f"✘ {check}: {terminal(found.message)}", *_advice(found)]))
            worst = worst or found.exit_code
        else:
            desk.show(f"✔ {check}: {found}")
    desk.show("next: mend what has a ✘" if worst else "next: `netbird-tokens plan`")
    return worst


def _advice(error: NetbirdTokensError) -> Iterator[str]:
    if isinstance(error, InputError):
        for problem in told(error.problems):
            yield from (f"    {line}" for line in problem.splitlines())
    if error.hint:
        yield f"    try: {terminal(error.hint)}"


def _checks(parts: Parts, desk: Desk) -> Iterator[tuple[str, str | NetbirdTokensError]]:
    try:
        where = parts.config_path or "none; secrets go to secrets/ beside the token file"
        sinks = parts.sinks
    except NetbirdTokensError as error:
        yield "config", error
        return
    yield "config", str(where)
    yield "server", f"{parts.management_url.value} (from {parts.management_url.source})"
    yield from _account(parts)
    set_name = SetName("preflight")
    try:
        set_name = parts.loaded.token_set.name
        yield "token file", f"set {set_name}, {len(parts.loaded.token_set.specs)} tokens"
    except NetbirdTokensError as error:
        yield "token file", error
    for name, sink in sinks.items():
        try:
            sink.preflight(parts.keys[name].default(set_name, "preflight"))
            sink.inventory(())
            yield f"sink {name}", "can be read and written"
        except NetbirdTokensError as error:
            yield f"sink {name}", error
    yield "lock", _lock(parts, desk)


def _account(parts: Parts) -> Iterator[tuple[str, str | NetbirdTokensError]]:
    try:
        with parts.reader() as api:
            users, now = api.users(), api.server_time()
        current = Directory(users).principal
        yield "credential", f"{terminal(current.name or current.id)}, role {terminal(current.role)}"
        yield "role", _role(current)
        yield _clock(parts, now)
    except NetbirdTokensError as error:
        yield "credential", error


def _lock(parts: Parts, desk: Desk) -> str | NetbirdTokensError:
    if parts.config.lock is None:
        return "none configured"
    try:
        with parts.lock("doctor", desk.note):
            return "free"  # taken, and given back at once: the protocol has no other way to look
    except NetbirdTokensError as error:
        return error


def _role(user: User) -> str | NetbirdTokensError:
    if user.role in _POWERFUL:
        return "reaches its own tokens and those of every service user"
    return Forbidden(
        f"{user.role} reaches at most its own tokens",
        hint="give the credential's user the role admin; a service user of its own is best",
    )


def _clock(parts: Parts, now: datetime) -> tuple[str, str | NetbirdTokensError]:
    skew = parts.skew(now)
    if skew is not None:
        text = f"this machine is {ago(skew)} off the server's clock; plans go by the server's"
        return "clock", UsageError(text, hint="set the clock of this machine")
    return "clock", "agrees with the server's"
