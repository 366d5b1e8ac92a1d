"""A store behind HTTP: reads that persist, writes that are sent once, and what every answer means.

A write that fails has changed nothing only where nothing was sent, or where the store said no; a 429, or a
403 that speaks of a limit, is a no that passes. Everything else is unsure. A read that fails says nothing
about what the store holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Final, Protocol, TypeGuard, assert_never

from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.http import Answer, Auth, Failure, Limits, Outcome, Stage, printable
from reconciler.http.retry import FAILING, Again, Pace, Patience, persist

CONNECTIONS: Final = 8
_LIMITS: Final = Limits(timeout=(10.0, 30.0), body=64 * 1024 * 1024)
_BUSY: Final = Patience(tries=6, first=1, longest=10)
_PACE: Final = Pace(deadline=60.0)
"""Together with the time of one request well below the five minutes that a `put` may take."""
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_LIMITED: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN)
_REMAINING: Final = "X-RateLimit-Remaining"
_RESET: Final = "X-RateLimit-Reset"
_RERUN: Final = "run the same command again: it looks before it writes"
_NETWORK: Final = "check the address in the config, the network and the proxy"
_LATER: Final = "it was asked too often: run the same command again later"
_MOVED: Final = "it moved, or is another server: mend its name or address in the config"


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands for a credential that is not there: nothing is sent, and this is why."""

    why: str


class Denied(SinkUnread):
    """We may not read this; it says nothing about the rest of the store."""


class Asking(Protocol):
    """A `Client`, or what signs in by itself before it asks one."""

    def ask(
        self,
        method: str,
        path: str,
        auth: Auth | None,
        limits: Limits,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome: ...


def _never(_answer: Answer) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Rest:
    """One store at one address.

    Attributes:
        name: What to call it in messages.
        auth: Writes the credential into a request.
        headers: Sent with every request; no credential stands there.
        advice: What to do about 401, 403 and a credential that is missing.
        declines: Whether what looks like trouble is a no all the same: surely not carried out.
    """

    name: str
    client: Asking
    auth: Auth | Missing | None
    advice: str
    headers: Mapping[str, str] = field(default_factory=dict)
    pace: Pace = _PACE
    declines: Callable[[Answer], bool] = _never

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer | None:
        """A 200, tried again while the store is in trouble; None for a 404.

        Raises:
            SinkUnread: Anything else.
        """
        answer = self.look(path, headers)
        return answer if answer.status == HTTPStatus.OK else None

    def look(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """A 200 or a 404, as `get`, where a 404 of this store says more than that nothing is there.

        Raises:
            SinkUnread: Anything else; `Denied` for 401 and 403.
        """
        outcome = persist(lambda: self._ask("GET", path, None, headers), _wish_of_read, self.pace)
        if isinstance(outcome, Answer) and outcome.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return outcome
        raise self.unread(outcome)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        still: Callable[[], object] | None = None,
    ) -> Answer:
        """One write; any answer with which the store decides, yes or no. Sent again only after a 429.

        Args:
            method: Any but GET.
            path: Below the address of the client.
            body: Sent as JSON.
            headers: Besides those of every request.
            still: Looks again before it is sent again, and raises where the place is another now: a
                store that knows no condition would be written to as it was before the wait.

        Raises:
            SinkRefused: It was not sent, or the store may not be written to by us.
            SinkUnsure: It may have been carried out.
        """
        attempt = _looking_again(lambda: self._ask(method, path, body, headers), still)
        outcome = persist(attempt, _wish_of_write, self.pace)
        match outcome:
            case Answer(status=HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN):
                raise self.refused(outcome)
            case Answer() if self.declines(outcome):
                return outcome
            case Answer() if outcome.is_trouble or outcome.is_redirect:
                raise self._unsure(outcome)
            case Answer():
                return outcome
            case Failure(stage=Stage.UNSENT | Stage.UNTRUSTED | Stage.UNSIGNED):
                raise self.refused(outcome)
            case Failure():
                raise self._unsure(outcome)
            case _:
                assert_never(outcome)

    def unread(self, outcome: Outcome) -> SinkUnread:
        """The error for an answer that tells nothing."""
        denied = isinstance(outcome, Answer) and outcome.status in _DENIED
        kind = Denied if denied and not _is_limited(outcome) else SinkUnread
        return kind(f"cannot read {self.name}: {why(outcome)}", hint=self._hint(outcome))

    def refused(self, outcome: Outcome) -> SinkRefused:
        """The error for an answer that says no."""
        return SinkRefused(f"{self.name} was not written: {why(outcome)}", hint=self._hint(outcome))

    def _unsure(self, outcome: Outcome) -> SinkUnsure:
        text = f"{self.name} may or may not have been written: {why(outcome)}"
        return SinkUnsure(text, hint=_RERUN)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
    ) -> Outcome:
        if isinstance(self.auth, Missing):
            return Failure(Stage.UNSIGNED, self.auth.why)
        merged = {**self.headers, **(headers or {})}
        return self.client.ask(method, path, self.auth, _LIMITS, body, merged)

    def _hint(self, outcome: Outcome) -> str:
        if isinstance(outcome, Failure):
            return self.advice if outcome.stage is Stage.UNSIGNED else _NETWORK
        if _is_limited(outcome):
            return _LATER
        if outcome.is_redirect:
            return _MOVED
        return self.advice if outcome.status in _DENIED else ""


def _looking_again(
    attempt: Callable[[], Outcome], still: Callable[[], object] | None
) -> Callable[[], Outcome]:
    """The attempt, with a look before each but the first, which the caller comes from."""
    tries = count()

    def looking() -> Outcome:
        if next(tries) and still is not None:
            still()
        return attempt()

    return looking


def why(outcome: Outcome) -> str:
    """What became of a request, as the second half of a sentence."""
    match outcome:
        case Failure(reason=reason):
            return reason
        case Answer(status=status):
            said = f": {printable(outcome.message)}" if outcome.message else ""
            return f"it answered {status}{said}"
        case _:
            assert_never(outcome)


def _wish_of_read(outcome: Outcome) -> Again | None:
    match outcome:
        case Failure(stage):
            return Again(FAILING) if stage in (Stage.UNSENT, Stage.LOST) else None
        case Answer() if outcome.is_trouble:
            return Again(FAILING)
        case Answer():
            return _wish_of_write(outcome)
        case _:
            assert_never(outcome)


def _wish_of_write(outcome: Outcome) -> Again | None:
    return Again(_BUSY, _asked_to_wait(outcome)) if _is_limited(outcome) else None


def _is_limited(outcome: Outcome) -> TypeGuard[Answer]:
    """Whether we ask too often. GitHub says so with a 403, too, and with one of three signs."""
    if not isinstance(outcome, Answer) or outcome.status not in _LIMITED:
        return False
    signs = ("Retry-After" in outcome.headers, outcome.headers.get(_REMAINING) == "0")
    spoken = "rate limit" in (outcome.message or "").lower()
    return outcome.status == HTTPStatus.TOO_MANY_REQUESTS or spoken or any(signs)


def _asked_to_wait(answer: Answer) -> float:
    """Seconds; to the end of the period in which our allowance is used up, where that is said."""
    reset, now = answer.headers.get(_RESET, ""), answer.date
    if answer.headers.get(_REMAINING) != "0" or not reset.isdecimal() or now is None:
        return answer.retry_after
    return max(float(reset[:12]) - now.timestamp(), answer.retry_after)
