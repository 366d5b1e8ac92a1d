"""list, inspect, create, revoke: single tokens by hand, without a token file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.api.service import HttpTokenApi, HttpTokenReader
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, Renderers, publish
from reconciler.core.changes import Create, Target
from reconciler.core.outcome import Status
from reconciler.core.people import Directory
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Absent, Place, SinkName, receipt_of, version_of
from reconciler.core.spec import ExpiresIn, Location, TokenSpec
from reconciler.core.tokens import LiveToken, TokenId, Unread, User, UserId
from reconciler.core.world import BY_HAND
from reconciler.errors import ExitCode, Gone, GuardStop, SinkError, UsageError
from reconciler.reports import json, tables
from reconciler.reports.document import Token
from reconciler.reports.escape import terminal
from reconciler.reports.style import Style
from reconciler.reports.tables import Table
from reconciler.signals import Interrupts
from reconciler.source.guess import closest
from reconciler.transaction import mint
from reconciler.wiring import Parts

_SLACK = timedelta(seconds=2)


def list_tokens(parts: Parts, desk: Desk, output: Output, user: str | None) -> ExitCode:
    """All live tokens of one user; our own user unless another is named."""
    output.check()
    with parts.reader() as api:
        users = api.users()
        found, now = api.tokens(_owner(users, user)), api.server_time()
    shown = json.live_tokens(found, users, now)
    return _publish(shown, now, lambda style: tables.tokens(shown, now, style), desk, output)


def inspect(parts: Parts, desk: Desk, output: Output, token: str, user: str | None) -> ExitCode:
    """One live token in full. Without a user, it is looked for among all that we may see."""
    output.check()
    with parts.reader() as api:
        users = api.users()
        found, now = _find(api, users, TokenId(token), user), api.server_time()
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


def _owner(users: Sequence[User], written: str | None) -> UserId:
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


def _find(
    api: HttpTokenReader, users: Sequence[User], token: TokenId, user: str | None
) -> LiveToken:
    if user is not None:
        return api.token(_owner(users, user), token)
    current = _owner(users, None)
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


@dataclass(frozen=True, slots=True)
class Wish:
    """A token to make by hand.

    Attributes:
        sink: Where its secret goes; None: it is shown once.
    """

    name: str
    days: int
    user: str | None
    sink: str | None
    key: str | None


def create(parts: Parts, desk: Desk, wish: Wish) -> ExitCode:
    """Make one token; its secret goes into a sink, or to stdout and nowhere else."""
    with parts.writer() as api:
        owner = _owner(api.users(), wish.user)
        interrupts = Interrupts(lambda: (wish.name,), lambda: "")
        with interrupts:  # a token that is being made is made, and its secret gets out
            put = _shown_once if wish.sink is None else _into_sink
            code = put(parts, desk, api, owner, wish)
    return interrupts.code if interrupts.code is not None and code is ExitCode.OK else code


def _shown_once(_: Parts, desk: Desk, api: HttpTokenApi, owner: UserId, wish: Wish) -> ExitCode:
    minted = api.create(owner, wish.name, wish.days)
    token = minted.token
    desk.note(f"created {terminal(token.name)}  {token.id}  expires {token.expires_at:%Y-%m-%d}")
    desk.note("the next line is the only copy of its secret:")
    desk.show_once(minted.secret.reveal())
    return ExitCode.OK


def _into_sink(parts: Parts, desk: Desk, api: HttpTokenApi, owner: UserId, wish: Wish) -> ExitCode:
    effect = _effect(parts, owner, wish)
    result = mint(effect, parts.ports(api))
    place = effect.targets[0].place
    if result.status is Status.DONE:
        desk.show(f"created {terminal(wish.name)}  {result.token}  secret → {place}")
        return ExitCode.OK
    desk.note(f"{result.status}: {result.text} (token {result.token})")
    return ExitCode.UNCERTAIN if result.status is Status.UNCERTAIN else ExitCode.ROLLED_BACK


def _effect(parts: Parts, owner: UserId, wish: Wish) -> Create:
    name = SinkName(str(wish.sink))
    if name not in parts.sinks:
        raise UsageError(
            f"no sink is named {name!r}", hint=f"the config has: {', '.join(parts.sinks)}"
        )
    rule = parts.keys[name]
    key = wish.key or rule.default(BY_HAND, wish.name)
    if not rule.accepts(key):
        raise UsageError(f"{key!r} is no key for sink {name}", hint=f"--key takes {rule.advice}")
    place = Place(name, key)
    held = parts.sinks[name].read(key)
    if not isinstance(held, Absent):
        raise GuardStop(f"{place} already holds something", hint="choose another --key")
    spec = TokenSpec(
        set=BY_HAND,
        name=wish.name,
        user=owner,
        live_name=wish.name,
        lifetime=ExpiresIn(wish.days),
        places=(place,),
        where=Location("command line", 1, 1),
    )
    why = Why(Reason.NEW, "made by hand")
    return Create(spec, wish.days, (Target(place, version_of(held)),), (), why)


def revoke(
    parts: Parts, desk: Desk, ids: Sequence[str], user: str | None, *, yes: bool
) -> ExitCode:
    """Show what would go, ask, revoke. The credential that we run with is never revoked."""
    with parts.writer() as api:
        users, began = api.users(), api.server_time()
        doomed = [_find(api, users, TokenId(token), user) for token in ids]
        current = _owner(users, None)
        for token in doomed:
            _spare_own(token, current, began - _SLACK)
            (shown,) = json.live_tokens([token], users, began)
            desk.note(tables.token(shown, began).text(Style()))
            for place in _places(parts, token):
                desk.note(f"its secret is in {place}; the next apply will miss it\n")
        if not yes:
            desk.confirm(f"Revoke {'this token' if len(doomed) == 1 else f'these {len(doomed)}'}?")
        for token in doomed:
            api.revoke(token.user, token.id)
            desk.show(f"revoked {terminal(token.name)}  {token.id}")
    return ExitCode.OK


def _spare_own(token: LiveToken, current: UserId, since: datetime) -> None:
    if token.user == current and token.last_used is not None and token.last_used >= since:
        raise GuardStop(
            f"{token.id} may be the credential that this command runs with; nothing was changed",
            hint="use another credential to revoke it",
        )


def _places(parts: Parts, token: LiveToken) -> list[Place]:
    """Where our sinks hold the secret of a token, as far as they can be read."""
    found = []
    for name, sink in parts.sinks.items():
        try:
            entries = sink.inventory(()).entries
        except SinkError:
            continue
        for key, entry in sorted(entries.items()):
            receipt = receipt_of(entry)
            if receipt is not None and receipt.token.id == token.id:
                found.append(Place(name, key))
    return found
