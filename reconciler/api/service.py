"""The ports of the core, over HTTP. Every method raises ApiError and nothing else.

Reads are tried again within a deadline. A create or a revoke is sent once: only a 429, which
provably had no effect, is sent again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from reconciler.api import answers, wire
from reconciler.api.budget import Budget, allowance_of
from reconciler.api.endpoint import Endpoint
from reconciler.api.http import Reading, Writing
from reconciler.api.refusals import Call
from reconciler.core.ports import Minted
from reconciler.core.secret import Secret
from reconciler.core.tokens import LiveToken, TokenId, User, UserId
from reconciler.errors import BadAnswer, Forbidden, Rejected, Unauthenticated
from reconciler.http import Outcome, printable
from reconciler.http.retry import DEADLINE, Again, Pace, persist

_USERS: Final = Call("list the users", "users")


class HttpTokenReader:
    """Looks at the server. What it holds can only GET. Up to eight threads may share it."""

    def __init__(self, http: Reading, pace: Pace) -> None:
        self._reading = http
        self._pace = pace

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._reading.close()

    def users(self) -> tuple[User, ...]:
        """All users that our credential can see, in no particular order."""
        return wire.users(self._read(_USERS))

    def tokens(self, user: UserId) -> tuple[LiveToken, ...]:
        """All tokens of one user, expired ones included. Raises Gone if there is no such user."""
        call = Call(f"list the tokens of user {_shown(user)}", _tokens_path(user), _no_user(user))
        return wire.tokens(self._read(call), user)

    def token(self, user: UserId, token: TokenId) -> LiveToken:
        """One token. Raises Gone if the user has none of this id, or does not exist."""
        call = _call_for_one("read", user, token)
        return wire.token(self._read(call), user)

    def events(self) -> tuple[wire.Event, ...]:
        """The audit log, newest first, 10,000 entries at most; the last moments may be missing."""
        return wire.events(self._read(Call("read the audit log", "events/audit")))

    def server_time(self) -> datetime:
        """The `Date` of the server's first answer to us, UTC, to the second; asks if there is none.

        Raises:
            BadAnswer: The answer had no readable date. Our own clock is never used instead.
        """
        if self._reading.first_date is None:
            self._read(_USERS)
        return wire.http_date(self._reading.first_date or "")

    def _read(self, call: Call, credential: Secret | None = None) -> object:
        def attempt() -> Outcome:
            return self._reading.get(call.path, credential)

        def wish(outcome: Outcome) -> Again | None:
            return answers.wish_of_read(outcome, call)

        return answers.read(persist(attempt, wish, self._pace), call)


class HttpTokenApi(HttpTokenReader):
    """Changes the server, too."""

    def __init__(self, http: Writing, pace: Pace) -> None:
        super().__init__(http, pace)
        self._writing = http

    def create(self, user: UserId, live_name: str, days: int) -> Minted:
        """Mint a token; at most one, whatever happens.

        Raises:
            Uncertain: It may exist; the message has its id if the answer did.
            ApiError: Any other: no token was made.
        """
        call = Call(
            f"create token {_shown(live_name)} for user {_shown(user)}",
            _tokens_path(user),
            _no_user(user),
            may_quote=False,
        )
        body = {"name": live_name, "expires_in": days}
        outcome = persist(
            lambda: self._writing.post(call.path, body), answers.wish_of_write, self._pace
        )
        raw = answers.written(outcome, call)
        try:
            return wire.minted(raw, user)
        except BadAnswer as odd:
            reason = odd.message
        # Outside the except block, so that the error drags nothing along.
        found = wire.minted_id(raw)
        made = "" if found is None else f"; token {_shown(found)} was made"
        raise answers.uncertain(call, f"{reason}{made}")

    def revoke(self, user: UserId, token: TokenId) -> None:
        """Revoke a token.

        Raises:
            Gone: There is no such token, or no such user.
            Uncertain: It may have been revoked.
            ApiError: Any other: it was not.
        """
        call = _call_for_one("revoke", user, token)
        outcome = persist(
            lambda: self._writing.delete(call.path), answers.wish_of_write, self._pace
        )
        answers.written(outcome, call)

    def switch(self, secret: Secret) -> None:
        """Go on with another credential, once the server has let it in.

        Raises:
            Unauthenticated: The server refuses it; the old one stays in use.
        """
        if not self.authenticates(secret):
            raise Unauthenticated(
                "the server refuses the new credential", hint="the old one is still in use"
            )
        self._writing.use(secret)

    def authenticates(self, secret: Secret) -> bool:
        """Whether the server lets this token in; one look at the users, made with it.

        That counts as a use of the token: never ask before its receipt is written (DESIGN §5).
        """
        if not secret.is_well_formed():
            return False
        try:
            self._read(Call("prove the new token", "users"), secret)
        except Unauthenticated:
            return False
        except Forbidden:
            return True  # known, and its role may not look
        return True


def reader(
    endpoint: Endpoint,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    random: Callable[[], float] = random.random,
    deadline: float = DEADLINE,
) -> HttpTokenReader:
    """A client that can only look. Time and chance are those of `Pace`."""
    pace = Pace(clock, sleep, random, deadline)
    return HttpTokenReader(Reading(endpoint, Budget(allowance_of(endpoint.host), pace)), pace)


def writer(
    endpoint: Endpoint,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    random: Callable[[], float] = random.random,
    deadline: float = DEADLINE,
) -> HttpTokenApi:
    """A client that can change the server. Time and chance are those of `Pace`."""
    pace = Pace(clock, sleep, random, deadline)
    return HttpTokenApi(Writing(endpoint, Budget(allowance_of(endpoint.host), pace)), pace)


def _call_for_one(verb: str, user: UserId, token: TokenId) -> Call:
    return Call(
        f"{verb} token {_shown(token)} of user {_shown(user)}",
        f"{_tokens_path(user)}/{_segment(token)}",
        (f"pat: {token.lower()} not found", *_no_user(user)),
    )


def _no_user(user: UserId) -> tuple[str, ...]:
    return (f"user: {user.lower()} not found",)  # the server lower-cases the id, too (§3)


def _tokens_path(user: UserId) -> str:
    return f"users/{_segment(user)}/tokens"


def _segment(name: str) -> str:
    """An id as one path segment. What the server's router would not match is not sent (§1.0)."""
    if name in ("", ".", "..") or "/" in name or not name.isprintable():
        raise Rejected(f"{_shown(name)} cannot be an id", hint="copy the id from the user list")
    return quote(name, safe="")


def _shown(name: str) -> str:
    return f"'{printable(name)}'"
