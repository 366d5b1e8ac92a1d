"""revoke: single tokens by id, and their secrets with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.api.service import HttpTokenApi, HttpTokenReader
from reconciler.commands.audit import Trail, account_by_hand, by_hand, told, trail
from reconciler.commands.desk import Desk
from reconciler.commands.tokens import find, owner_of
from reconciler.core.receipts import Place, Receipt, TokenRef, receipt_of
from reconciler.core.tokens import LiveToken, TokenId, Unread, User, UserId
from reconciler.core.world import BY_HAND
from reconciler.errors import ApiError, ExitCode, Gone, GuardStop, SinkError
from reconciler.reports import json, tables
from reconciler.reports.audit import Deed
from reconciler.reports.escape import terminal
from reconciler.reports.style import Style
from reconciler.signals import Interrupts
from reconciler.transaction import awake_or_not
from reconciler.wiring import Parts

_SLACK = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class _Copy:
    """A place whose receipt names a token as its current one.

    Attributes:
        stays: The receipt is the last word about older tokens that still work: the next apply needs it.
    """

    place: Place
    receipt: Receipt
    stays: bool = False


@dataclass(frozen=True, slots=True)
class _Doomed:
    """A token to revoke; `live` is None if it is gone, and only its secret is left to remove."""

    id: TokenId
    live: LiveToken | None
    copies: tuple[_Copy, ...]

    @property
    def emptied(self) -> tuple[Place, ...]:
        """The places that its secret leaves."""
        return tuple(copy.place for copy in self.copies if not copy.stays)


@dataclass(slots=True)
class _Shelves:
    """All that the sinks hold, by token, and what could not be looked into."""

    by_token: dict[TokenId, list[tuple[Place, Receipt]]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def revoke(
    parts: Parts, desk: Desk, ids: Sequence[str], user: str | None, *, yes: bool
) -> ExitCode:
    """Show what would go, ask, revoke, and remove the secret from every sink whose receipt names it.

    The credential that we run with is never revoked.
    """
    kept = trail(parts, "revoke")
    asked = _Asked(ids, user, yes=yes)
    return by_hand(kept, desk, lambda: _revoke(parts, desk, asked, kept))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person asked for."""

    ids: Sequence[str]
    user: str | None
    yes: bool


def _revoke(parts: Parts, desk: Desk, asked: _Asked, kept: Trail) -> ExitCode:
    with parts.lock("revoke", desk.note) as let_go, parts.writer() as api:
        looked = awake_or_not()
        users, began = api.users(), api.server_time()
        kept.knows(account_by_hand(parts, users), began, looked)
        shelves, ids = _look(parts), dict.fromkeys(map(TokenId, asked.ids))
        doomed = [_doomed(api, users, each, asked.user, shelves) for each in ids]
        current = owner_of(users, None)
        for each in doomed:
            _spare_own(each.live, current, began - _SLACK)
            desk.note("\n".join(_described(each, users, began)) + "\n")
        for what in shelves.unread:
            desk.note(f"could not look into {what}; a secret that is there stays there\n")
        if not asked.yes:
            desk.confirm(f"Revoke {'this token' if len(doomed) == 1 else f'these {len(doomed)}'}?")
        kept.begins()
        run = _Run(api, parts, desk, kept)
        with Interrupts(lambda: tuple(run.in_flight), let_go) as interrupts:
            done = run.all(doomed, interrupts.stopped)
    if done is not ExitCode.OK:
        return done
    return interrupts.code or (ExitCode.ERROR if shelves.unread else ExitCode.OK)


def _deed(doomed: _Doomed) -> Deed:
    places = tuple(map(str, doomed.emptied))
    if doomed.live is not None:
        user = doomed.live.user
        return Deed("revoke", doomed.live.name, user, token=doomed.id, places=places)
    receipt = doomed.copies[0].receipt
    return Deed("clean", receipt.name, receipt.token.user, token=doomed.id, places=places)


def _look(parts: Parts) -> _Shelves:
    shelves = _Shelves()
    for name, sink in parts.sinks.items():
        try:
            entries = sink.inventory(()).entries
        except SinkError as error:
            shelves.unread.append(f"sink {name}: {error.message}")
            continue
        for key, entry in sorted(entries.items()):
            if isinstance(entry, Unread):
                shelves.unread.append(f"{name}:{key}: {entry.why}")
            elif (receipt := receipt_of(entry)) is not None:
                held = shelves.by_token.setdefault(receipt.token.id, [])
                held.append((Place(name, key), receipt))
    return shelves


def _doomed(
    api: HttpTokenReader, users: Sequence[User], token: TokenId, user: str | None, shelves: _Shelves
) -> _Doomed:
    """What is to go. A token that is gone is found by its receipts: a run ended between the two."""
    held = shelves.by_token.get(token, [])
    copies = tuple(
        _Copy(place, receipt, _speaks_of_others(api, receipt)) for place, receipt in held
    )
    named = {receipt.token.user for _, receipt in held}
    if len(named) == 1 and (user is None or owner_of(users, user) in named):
        with suppress(Gone):
            return _Doomed(token, api.token(named.pop(), token), copies)
        return _Doomed(token, None, copies)
    return _Doomed(token, find(api, users, token, user), copies)


def _speaks_of_others(api: HttpTokenReader, receipt: Receipt) -> bool:
    return any(_may_exist(api, ref) for ref in receipt.predecessors)


def _may_exist(api: HttpTokenReader, ref: TokenRef) -> bool:
    try:
        api.token(ref.user, ref.id)
    except Gone:
        return False
    except ApiError:
        return True
    return True


def _spare_own(token: LiveToken | None, current: UserId, since: datetime) -> None:
    used = token.last_used if token and token.user == current else None
    if token is not None and used is not None and used >= since:
        raise GuardStop(
            f"{token.id} may be the credential that this command runs with; nothing was changed",
            hint="use another credential to revoke it",
        )


def _described(doomed: _Doomed, users: Sequence[User], now: datetime) -> Iterator[str]:
    if doomed.live is None:
        yield f"token {doomed.id} is gone already; its secret is not"
    else:
        (shown,) = json.live_tokens([doomed.live], users, now)
        yield tables.token(shown, now).text(Style()).rstrip("\n")
    for copy in doomed.copies:
        whose = f"entry {terminal(copy.receipt.name)} of set {copy.receipt.set}"
        if copy.stays:
            older = "its receipt names older tokens that still work"
            yield f"its secret stays in {copy.place} until the next apply of {whose}: {older}"
        elif copy.receipt.set == BY_HAND:
            yield f"its secret leaves {copy.place}"
        else:
            again = f"while the file has {whose}, the next apply makes a new one"
            yield f"its secret leaves {copy.place}; {again}"


@dataclass(slots=True)
class _Run:
    """Carries it out, one token after the other.

    Attributes:
        in_flight: The token that is being revoked.
    """

    api: HttpTokenApi
    parts: Parts
    desk: Desk
    kept: Trail
    in_flight: list[TokenId] = field(default_factory=list)

    def all(self, doomed: Sequence[_Doomed], stopped: Callable[[], bool]) -> ExitCode:
        """What is in flight when a person says stop is finished, no more."""
        emptied, left = True, list(doomed)
        while left and not stopped():
            each = left.pop(0)
            self.in_flight = [each.id]
            with told(self.kept, _deed(each)) as doing:
                is_empty = self._one(each)
                doing.code = ExitCode.OK if is_empty else ExitCode.UNCERTAIN
            emptied = emptied and is_empty
        self.in_flight = []
        for each in left:
            self.desk.note(f"not started: interrupted: {each.id}")
        if not emptied:
            self.desk.note("Run the same command again: it removes what is left.")
        return ExitCode.OK if emptied else ExitCode.UNCERTAIN

    def _one(self, doomed: _Doomed) -> bool:
        """Revoke it and empty its places; whether they all are."""
        if doomed.live is not None:
            with suppress(Gone):  # somebody else was faster
                self.api.revoke(doomed.live.user, doomed.id)
            self.desk.show(f"revoked {terminal(doomed.live.name)}  {doomed.id}")
        emptied = True
        for place in doomed.emptied:
            try:
                if self.parts.sinks[place.sink].delete(place.key, doomed.id):
                    self.desk.show(f"its secret left {place}")
            except SinkError as error:
                self.desk.note(f"{place} still holds the secret of {doomed.id}: {error.message}")
                emptied = False
        return emptied
