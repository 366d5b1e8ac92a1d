"""list, inspect: live tokens without a token file; and how a command finds the one that is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from reconciler.api.service import HttpTokenReader
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, Renderers, publish
from reconciler.core.people import Directory
from reconciler.core.tokens import LiveToken, TokenId, Unread, User, UserId
from reconciler.errors import ExitCode, Gone, UsageError
from reconciler.reports import json, tables
from reconciler.reports.document import Token
from reconciler.reports.style import Style
from reconciler.reports.tables import Table
from reconciler.source.guess import closest
from reconciler.wiring import Parts


def list_tokens(parts: Parts, desk: Desk, output: Output, user: str | None) -> ExitCode:
    """All live tokens of one user; our own user unless another is named."""
    output.check()
    with parts.reader() as api:
        users = api.users()
        found, now = api.tokens(owner_of(users, user)), api.server_time()
    shown = json.live_tokens(found, users, now)
    return _publish(shown, now, lambda style: tables.tokens(shown, now, style), desk, output)


def inspect(parts: Parts, desk: Desk, output: Output, token: str, user: str | None) -> ExitCode:
    """One live token in full. Without a user, it is looked for among all that we may see."""
    output.check()
    with parts.reader() as api:
        users = api.users()
        found, now = find(api, users, TokenId(token), user), api.server_time()
    shown = json.live_tokens([found], users, now)
    return _publish(shown, now, lambda _: tables.token(shown[0], now), desk, output)


def _publish(
    found: Sequence[Token],
    now: datetime,
    table: Callable[[Style], Table],
    desk: Desk,
    output: Output,
) -> ExitCode:
    renderers: Renderers = {
        "text": lambda style: table(style).text(style),
        "json": lambda _: json.dumps(json.tokens_document(found, now)),
        "markdown": lambda style: table(style).markdown(),
    }
    return publish(desk, renderers, output, ExitCode.OK)


def owner_of(users: Sequence[User], written: str | None) -> UserId:
    """Whose tokens; our own where nobody is named. Raises UsageError, or BadAnswer if we are unknown."""
    people = Directory(users)
    found = people.principal.id if written is None else people.find(written)
    if not isinstance(found, Unread):
        return found
    near = closest(written or "", people.service_names())
    if near == written:  # it has several
        raise UsageError(found.why)
    hint = f"did you mean {near!r}?" if near else "see the ids in the NetBird dashboard"
    raise UsageError(found.why, hint=hint)


def find(
    api: HttpTokenReader, users: Sequence[User], token: TokenId, user: str | None
) -> LiveToken:
    """The token of this id, of that user or of anybody whose tokens we may see.

    Raises:
        Gone: That user has none of this id.
        UsageError: Nobody has, or there is no such user.
    """
    if user is not None:
        return api.token(owner_of(users, user), token)
    current = owner_of(users, None)
    for each in sorted(users, key=lambda each: (each.id != current, each.id)):
        if each.id == current or each.is_service_user:
            try:
                return api.token(each.id, token)
            except Gone:
                continue
    raise UsageError(
        f"neither we nor any service user has a token {token}",
        hint="`netbird-tokens list --user-id NAME` shows the ids; other people's tokens cannot be read",
    )
