"""The emulated NetBird management API: the rules of the server over a store, with faults on demand.

`handle` is the whole server without sockets; `server.serve` puts it behind HTTP.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from zoneinfo import ZoneInfo

from reconciler.core.tokens import LiveToken, TokenId, UserId
from reconciler.emulator import auth, faults, routes, tokens, wire
from reconciler.emulator.clock import Clock, moment
from reconciler.emulator.exchange import Answer, Delivery, Record, Request
from reconciler.emulator.mint import request_id
from reconciler.emulator.refusals import Panic, Refusal
from reconciler.emulator.store import Pat, Person, Store
from reconciler.emulator.visit import Site, Visit

_NEVER = datetime.min.replace(tzinfo=UTC)


class Emulator:
    """One NetBird server.

    Attributes:
        clock: The server's time.
        faults: What shall go wrong.
        requests: What was asked, in the order in which it was answered.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        store: Path | None = None,
        seed: int = 0,
        rate_limit: auth.RateLimit | None = None,
        time_zone: str = "UTC",
    ) -> None:
        """Start a server.

        Args:
            clock: Real time when left out.
            store: An SQLite file that outlives this object; memory when left out.
            seed: Decides all ids and secrets, and the order in which users are listed.
            rate_limit: None: no limit.
            time_zone: IANA name of the server's zone; expiry is counted on its calendar.
        """
        self.clock = clock or Clock()
        self.faults = faults.Faults()
        self.requests: list[Record] = []
        zone = UTC if time_zone == "UTC" else ZoneInfo(time_zone)
        self._store = Store(store)
        chance = random.Random(seed)  # noqa: S311 - the order of a list
        self._site = Site(self._store, zone, seed, chance)
        self._limiter = None if rate_limit is None else auth.Limiter(rate_limit)
        self._numbers = itertools.count(1)

    def handle(self, request: Request) -> Answer:
        """Answer one request, as the server would and the faults let it."""
        path = request.path
        due = self.faults.take(request.method, path)
        answer, entry = _struck(due, "before", None), None
        if answer is None:
            answer, entry = self._serve(request)
            answer = _struck(due, "after", answer) or answer
        user, token = (entry.person.id, entry.token) if entry else (None, None)
        date = formatdate(self.clock.nanoseconds() // 10**9, usegmt=True)
        self.requests.append(Record(request.method, path, answer.status, user, token))
        return replace(answer, headers={**answer.headers, "Date": date})

    def _serve(self, request: Request) -> tuple[Answer, auth.Entry | None]:
        route = routes.find(request)
        if isinstance(route, Answer):
            return route, None
        headers = {**wire.JSON_HEADERS, "Vary": "Origin"}
        now = self.clock.nanoseconds()
        headers["X-Request-Id"] = request_id(now, next(self._numbers))
        entry = None
        with self._store.transaction():
            try:
                entry = self._sign_in(request, now)
                visit = Visit(
                    self._site, entry.person, now, route.params, request.query, request.body
                )
                answer = Answer(200, wire.encode(route.handler(visit)), headers)
            except Refusal as no:
                body = wire.encode({"message": no.message, "code": no.code})
                answer = Answer(no.code, body, headers)
            except Panic:
                answer = Answer(0, delivery=Delivery.NOTHING)
        return answer, entry

    def _sign_in(self, request: Request, now: int) -> auth.Entry:
        plain = auth.presented(request)
        exempt = "terraform" in request.headers.get("user-agent", "").lower()
        if self._limiter is not None and not exempt:
            self._limiter.admit(plain, now)
        return auth.sign_in(self._store, plain, now)

    # What other people and the story around a test do, behind the API's back.

    def add_user(
        self,
        name: str,
        *,
        role: str,
        service_user: bool = False,
        pending: bool = False,
        account: str = "main",
        user_id: str = "",
    ) -> str:
        """A new user's id: `user_id`, or one of the usual form."""
        with self._store.transaction():
            draw = self._site.draw()
            user = user_id or (draw.service_user_id() if service_user else draw.human_id())
            email = "" if service_user else f"{name.lower().replace(' ', '.')}@example.com"
            person = Person(
                id=user,
                account=account,
                name=name,
                email=email,
                role=role,
                is_service_user=service_user,
                created_at=self.clock.nanoseconds(),
                is_pending=pending,
            )
            self._store.put_user(person)
        return user

    def issue(
        self, user: str, name: str, *, days: int | None = 365, created_by: str | None = None
    ) -> str:
        """Make a token and return its plain text; `days` None is a row without expiry, which never works."""
        now = self.clock.nanoseconds()
        expires = None if days is None else wire.add_days(now, days, self._site.zone)
        wish = Pat("", user, name, "", created_by or user, now, expires)
        with self._store.transaction():
            _, plain = tokens.make(self._site, wish)
        return plain

    def tokens(self, user: str) -> tuple[LiveToken, ...]:
        """All tokens of a user, in order of creation; times to the microsecond."""
        with self._store.transaction():
            return tuple(_live(pat) for pat in self._store.tokens(user))

    def authenticates(self, plain: str) -> str | None:
        """The user whom this token would sign in now, blocked or not; does not count as a use."""
        with self._store.transaction():
            try:
                return auth.valid_pat(self._store, plain, self.clock.nanoseconds()).user
            except Refusal:
                return None

    def block(self, user: str) -> None:
        with self._store.transaction():
            self._store.put_user(replace(self._person(user), is_blocked=True))

    def set_role(self, user: str, role: str) -> None:
        with self._store.transaction():
            self._store.put_user(replace(self._person(user), role=role))

    def forget(self, token: str) -> None:
        """Somebody revokes a token by another way; nothing happens if it is gone already."""
        with self._store.transaction():
            self._store.delete_token(token)

    def _person(self, user: str) -> Person:
        person = self._store.user(user)
        if person is None:
            raise KeyError(user)
        return person


def _struck(due: tuple[faults.Fault, ...], when: str, answer: Answer | None) -> Answer | None:
    """The answer after all faults of this moment; without one, the first that answers ends it."""
    for fault in due:
        if fault.when == when:
            answer = faults.happen(fault.action, answer)
            if when == "before" and answer is not None:
                return answer
    return answer


def _live(pat: Pat) -> LiveToken:
    return LiveToken(
        id=TokenId(pat.id),
        user=UserId(pat.user),
        name=pat.name,
        created_by=UserId(pat.created_by),
        created_at=moment(pat.created_at),
        expires_at=_NEVER if pat.expires_at is None else moment(pat.expires_at),
        last_used=None if pat.last_used is None else moment(pat.last_used),
    )
