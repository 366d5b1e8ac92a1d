"""doctor: is everything there that an apply needs?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.commands.notify import notifier
from reconciler.commands.settings import settings
from reconciler.core.people import Directory
from reconciler.core.receipts import SetName
from reconciler.core.tokens import User
from reconciler.errors import ExitCode, Forbidden, InputError, NetbirdTokensError, UsageError
from reconciler.reports.ages import ago
from reconciler.reports.escape import terminal
from reconciler.sinks import BUILT_IN, foreign_types
from reconciler.source.problems import told
from reconciler.wiring import Parts

_POWERFUL: Final = ("admin", "owner")
_LATE: Final = "NB253"
_NAMED: Final = 6
"""So many places of a kind are named."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is neither in order nor wrong.

    Attributes:
        sign: A dash: not there yet. `!`: worth a thought.
        following: What to do next; empty if that is as ever.
    """

    sign: str
    text: str
    following: str = ""


Found = str | Remark | NetbirdTokensError


def doctor(parts: Parts, desk: Desk, *, show_config: bool) -> ExitCode:
    """Check everything that an apply needs, and say what is wrong with each."""
    if show_config:
        for setting in settings(parts):
            desk.show(f"{setting.name:<22} {setting.value}   ({setting.source or '–'})")
    worst, following = ExitCode.OK, "`netbird-tokens plan`"
    for check, found in _checks(parts, desk):
        match found:
            case NetbirdTokensError():
                desk.show("\n".join([f"✘ {check}: {terminal(found.message)}", *_advice(found)]))
                worst = worst or found.exit_code
            case Remark(sign, text, then):
                desk.show(f"{sign} {check}: {text}")
                following = then or following
            case _:
                desk.show(f"✔ {check}: {found}")
    desk.show(f"next: {'mend what has a ✘' if worst else following}")
    return worst


def _advice(error: NetbirdTokensError) -> Iterator[str]:
    if isinstance(error, InputError):
        for problem in told(error.problems):
            yield from (f"    {line}" for line in problem.splitlines())
    if error.hint:
        yield f"    try: {terminal(error.hint)}"


def _checks(parts: Parts, desk: Desk) -> Iterator[tuple[str, Found]]:
    try:
        where = parts.config_path or "none; secrets go to secrets/ beside the token file"
        sinks = parts.sinks
    except NetbirdTokensError as error:
        yield "config", error
        return
    yield "config", str(where)
    yield "sink types", _types()
    yield "server", f"{parts.management_url.value} (from {parts.management_url.source})"
    yield from _account(parts)
    yield from _files(parts)
    set_name = SetName("preflight")
    with suppress(NetbirdTokensError):
        set_name = parts.loaded.token_set.name
    try:
        parts.apart()
    except NetbirdTokensError as error:
        yield "sinks", error
    for name, sink in sinks.items():
        try:
            sink.preflight(parts.keys[name].default(set_name, "preflight"))
            sink.inventory(())
            yield f"sink {name}", "can be read and written"
        except NetbirdTokensError as error:
            yield f"sink {name}", error
    yield "lock", _lock(parts, desk)
    yield from _telling(parts)


def _telling(parts: Parts) -> Iterator[tuple[str, Found]]:
    """Whom the config tells of runs, if anybody; nothing is sent."""
    wanted = parts.config.notify
    if wanted is None:
        return
    try:
        found = notifier(parts)
    except NetbirdTokensError as error:
        yield "notices", error
        return
    if found is None or found.webhook is None:
        text = f"{wanted.url_env} is not set here; a run that has something to tell would exit 10"
        yield "notices", Remark("!", text)
    else:
        yield "notices", f"as {wanted.format}, when a run has something to tell"


def _types() -> str:
    """All there are; none is imported for this."""
    others = [f"{name} ({owner})" for name, owner in foreign_types().items()]
    return "; ".join([", ".join(BUILT_IN), *others])


def _files(parts: Parts) -> Iterator[tuple[str, Found]]:
    """The token files, and whether the schedule of the config suits them."""
    try:
        _ = parts.files
    except UsageError:
        text = "none here yet; `import` writes one for tokens that are live"
        yield "token file", Remark("–", text, "`netbird-tokens init`")
        return
    try:
        loaded = parts.loaded
    except NetbirdTokensError as error:
        yield "token file", error
        return
    yield "token file", f"set {loaded.token_set.name}, {len(loaded.token_set.specs)} tokens"
    every = f"a run every {ago(loaded.token_set.schedule.every)}"
    late = [str(problem.where) for problem in loaded.warnings if problem.code == _LATE]
    if late:
        rest = f" and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
        text = f"{every}; if one is missed, these may expire: {', '.join(late[:_NAMED])}{rest}"
        yield "schedule", Remark("!", f"{text}; `netbird-tokens validate` says more")
    else:
        yield "schedule", f"{every}; each renewal window outlasts a missed run"


def _account(parts: Parts) -> Iterator[tuple[str, Found]]:
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
