"""Who is calling (netbird-api.md §4), and whether they call too often (§5)."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.secret import Secret
from reconciler.emulator.exchange import Request
from reconciler.emulator.mint import hashed
from reconciler.emulator.refusals import Refusal, refused
from reconciler.emulator.store import Pat, Person, Store


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A bucket per token string; the defaults are the server's own."""

    per_minute: float = 6
    burst: int = 500


class Limiter:
    """Counts requests per raw token, valid or not."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._buckets: dict[str, tuple[float, int]] = {}

    def admit(self, plain: str, now: int) -> None:
        """Take one from the bucket. Raises Refusal 429 when it is empty."""
        left, since = self._buckets.get(plain, (float(self._limit.burst), now))
        refill = max(now - since, 0) / (60 * 10**9) * self._limit.per_minute
        left = min(left + refill, float(self._limit.burst))
        admitted = left >= 1
        self._buckets[plain] = (left - admitted, now)
        if not admitted:
            raise refused(429, "too many requests")


def presented(request: Request) -> str:
    """The token in the Authorization header: `Token x`, or `Bearer nbp_…`. Raises Refusal 401."""
    scheme, *rest = request.headers.get("authorization", "").split(" ")
    if scheme.lower() not in ("token", "bearer"):
        raise refused(401, "no valid authentication provided")
    if len(rest) != 1 or (scheme.lower() == "bearer" and not rest[0].startswith("nbp_")):
        raise _invalid()  # a Bearer that is no PAT is a JWT, and nobody signs those here
    return rest[0]


def valid_pat(store: Store, plain: str, now: int) -> Pat:
    """The living token behind this plain text. Raises Refusal: 401 malformed or expired, 404 unknown."""
    if not Secret(plain).is_well_formed():
        raise _invalid()
    digest = hashed(plain)
    pat = store.token_by_hash(digest)
    if pat is None:
        raise refused(404, f"invalid token: pat: {digest} not found")
    if pat.expires_at is None or now > pat.expires_at:
        raise _invalid()
    return pat


@dataclass(frozen=True, slots=True)
class Entry:
    """Who came in, and with which token (its id)."""

    person: Person
    token: str


def sign_in(store: Store, plain: str, now: int) -> Entry:
    """The caller. Every request that gets this far counts as a use of the token."""
    pat = valid_pat(store, plain, now)
    store.mark_used(pat.id, now)
    person = store.user(pat.user)
    if person is None:  # cannot be: a user takes their tokens along
        raise _invalid()
    return Entry(person, pat.id)


def _invalid() -> Refusal:
    return refused(401, "token invalid")
