"""create: one token by hand, into a sink or shown once. No later run looks after it: a person does."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.api.service import HttpTokenApi
from reconciler.commands.audit import Doing, Trail, account_by_hand, by_hand, told, trail
from reconciler.commands.desk import Desk
from reconciler.commands.tokens import owner_of
from reconciler.core.changes import Create, Target
from reconciler.core.outcome import Status
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Absent, Place, SinkName, version_of
from reconciler.core.spec import ExpiresIn, Location, TokenSpec
from reconciler.core.subjects import places_of
from reconciler.core.tokens import LiveToken, TokenId, UserId
from reconciler.core.world import BY_HAND
from reconciler.errors import ApiError, ExitCode, Gone, GuardStop, Uncertain, UsageError
from reconciler.reports.audit import Deed
from reconciler.reports.escape import terminal
from reconciler.signals import Interrupts
from reconciler.transaction import awake_or_not, flaw_of, mint
from reconciler.wiring import Parts


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
    if wish.sink is None and not desk.can_be_heard():
        raise UsageError(
            "stdout leads to nobody, and a secret is shown once; nothing was made",
            hint="let a terminal, a file or a pipe take it, or name a sink with --sink",
        )
    kept = trail(parts, "create")
    return by_hand(kept, desk, lambda: _create(parts, desk, wish, kept))


def _create(parts: Parts, desk: Desk, wish: Wish, kept: Trail) -> ExitCode:
    with parts.lock("create", desk.note) as let_go, parts.writer() as api:
        began = awake_or_not()
        users = api.users()
        kept.knows(account_by_hand(parts, users), api.server_time(), began)
        owner = owner_of(users, wish.user)
        effect = None if wish.sink is None else _effect(parts, owner, wish)
        places = tuple(map(str, places_of(effect))) if effect else ()
        interrupts = Interrupts(lambda: (wish.name,), let_go)
        with interrupts:  # a token that is being made is made, and its secret gets out
            kept.begins()
            try:
                with told(kept, Deed("create", wish.name, owner, places=places)) as doing:
                    making = Making(api, owner, doing)
                    if effect is None:
                        code = _shown_once(desk, making, wish)
                    else:
                        code = _into_sink(parts, desk, making, effect)
                    doing.code = code
            except Uncertain as error:
                listing = f"`netbird-tokens list --user-id {owner}` shows it if it exists"
                code = _left(desk, error.message, f"{listing}; then {_revoke('ID')}")
    return interrupts.code if interrupts.code is not None and code is ExitCode.OK else code


@dataclass(frozen=True, slots=True)
class Making:
    """Whose token is made, with what, and what becomes of it."""

    api: HttpTokenApi
    owner: UserId
    doing: Doing


def _shown_once(desk: Desk, making: Making, wish: Wish) -> ExitCode:
    api = making.api
    minted = api.create(making.owner, wish.name, wish.days)
    token = minted.token
    making.doing.made = token.id
    if flaw := flaw_of(minted, wish.name, wish.days):
        return _take_back(desk, api, token, flaw)
    desk.note(f"created {terminal(token.name)}  {token.id}  expires {token.expires_at.date()}")
    desk.note("the next line is the only copy of its secret:")
    if desk.show_once(minted.secret.reveal()):
        return ExitCode.OK
    return _take_back(desk, api, token, "stdout did not take the secret, so nobody has it")


def _take_back(desk: Desk, api: HttpTokenApi, token: LiveToken, cause: str) -> ExitCode:
    try:
        api.revoke(token.user, token.id)
    except Gone:
        pass
    except ApiError as error:
        text = f"{cause}; and token {token.id} could not be revoked: {error.message}"
        return _left(desk, text, _revoke(token.id))
    desk.note(f"rolled-back: {cause}; token {token.id} was revoked again")
    return ExitCode.ROLLED_BACK


def _into_sink(parts: Parts, desk: Desk, making: Making, effect: Create) -> ExitCode:
    result = mint(effect, parts.ports(making.api))
    making.doing.made = result.token
    place = effect.targets[0].place
    if result.status is Status.DONE:
        desk.show(f"created {terminal(effect.spec.name)}  {result.token}  secret → {place}")
        return ExitCode.OK
    text = f"{result.text} (token {result.token})"
    if result.status is Status.UNCERTAIN:
        return _left(
            desk, text, f"look at {place}; if the secret is not there, {_revoke(result.token)}"
        )
    desk.note(f"{result.status}: {text}")
    return ExitCode.ROLLED_BACK


def _left(desk: Desk, text: str, advice: str) -> ExitCode:
    """The exit code for what no later run will find and settle; says what to do instead."""
    desk.note(f"uncertain: {text}\n  try: {advice}")
    return ExitCode.UNCERTAIN


def _revoke(token: TokenId | str | None) -> str:
    return f"`netbird-tokens revoke {token}`, and create it again"


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
