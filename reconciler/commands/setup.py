"""init, validate, import, doctor: from nothing to tokens in Git."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.tokens import LiveToken, User
from reconciler.errors import ExitCode, Forbidden, NetbirdTokensError, UsageError
from reconciler.reports.escape import terminal
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
    for problem in loaded.warnings:
        desk.note(str(problem))
    found = loaded.token_set
    files = ", ".join(str(path) for path in parts.files)
    absent = f", {len(found.tombstones)} absent" if found.tombstones else ""
    desk.show(f"{files}: valid; set {found.name}, {len(found.specs)} tokens{absent}")
    return ExitCode.OK


def import_tokens(parts: Parts, desk: Desk, users: tuple[str, ...], name: str) -> ExitCode:
    """Print a token file for what is live; adopting by id, it replaces nothing."""
    with parts.reader() as api:
        known, now = api.users(), api.server_time()
        chosen = _chosen(known, users)
        listed = {user: api.tokens(user.id) for user in chosen}
    lines = ["apiVersion: netbird-tokens/v1", "kind: TokenSet", f"name: {name}", "tokens:"]
    for user, tokens in listed.items():
        lines.extend(_entries(user, tokens, now))
    desk.show("\n".join(lines))
    return ExitCode.OK


def _chosen(known: tuple[User, ...], wanted: tuple[str, ...]) -> list[User]:
    if not wanted:
        return [user for user in known if user.is_current]
    found = [u for u in known if u.id in wanted or (u.is_service_user and u.name in wanted)]
    missing = set(wanted) - {u.id for u in found} - {u.name for u in found}
    if missing:
        raise UsageError(f"no user has the id or name {min(missing)!r}", hint="see `list --help`")
    return sorted(found, key=lambda user: user.id)


def _entries(user: User, tokens: tuple[LiveToken, ...], now: datetime) -> Iterator[str]:
    seen: set[str] = set()
    for token in sorted(tokens, key=lambda t: (t.expires_at, t.id), reverse=True):
        spelled = _quoted(token.name)
        if not token.works(now):
            yield f"  # {terminal(token.name)} ({token.id}) expired {token.expires_at:%Y-%m-%d}: left out"
        elif token.name in seen:
            yield f"  # {terminal(token.name)} ({token.id}) has the name of an entry above: left out"
        else:
            seen.add(token.name)
            yield f"  - name: {spelled}"
            yield f"    user: {_quoted(user.name if user.is_service_user and user.name else user.id)}"
            yield f"    expires_in: {min(max(token.days, 1), 365)}"
            yield f"    adopt: {token.id}"


def _quoted(text: str) -> str:
    import json  # noqa: PLC0415 - JSON strings are YAML strings; needed nowhere else here

    return json.dumps(text, ensure_ascii=False)


def doctor(parts: Parts, desk: Desk, *, show_config: bool) -> ExitCode:
    """Check everything that an apply needs, and say what is wrong with each."""
    if show_config:
        for setting in parts.settings():
            desk.show(f"{setting.name:<22} {setting.value}   ({setting.source or '–'})")
    worst = ExitCode.OK
    for check, found in _checks(parts, desk):
        if isinstance(found, NetbirdTokensError):
            desk.show(f"✘ {check}: {found.message}" + (f"\n    {found.hint}" if found.hint else ""))
            worst = worst or found.exit_code
        else:
            desk.show(f"✔ {check}: {found}")
    return worst


def _checks(parts: Parts, desk: Desk) -> Iterator[tuple[str, str | NetbirdTokensError]]:
    yield "server", f"{parts.management_url.value} (from {parts.management_url.source})"
    try:
        with parts.reader() as api:
            users, now = api.users(), api.server_time()
        current = next(user for user in users if user.is_current)
        yield "credential", f"{terminal(current.name or current.id)}, role {current.role}"
        yield "role", _role(current)
        yield _clock(parts, now)
    except NetbirdTokensError as error:
        yield "credential", error
    try:
        yield "token file", f"set {parts.loaded.token_set.name}"
    except NetbirdTokensError as error:
        yield "token file", error
    for name, sink in parts.sinks.items():
        try:
            key = parts.keys[name].default(parts.loaded.token_set.name, "preflight")
            sink.preflight(key)
            sink.inventory(())
            yield f"sink {name}", "can be read and written"
        except NetbirdTokensError as error:
            yield f"sink {name}", error
    yield "lock", _lock(parts, desk)


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
        text = f"this machine is {skew} off the server's clock; plans use the server's"
        return "clock", UsageError(text, hint="set the clock of this machine")
    return "clock", "agrees with the server's"
