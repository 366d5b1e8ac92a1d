"""Small worlds to plan for, built by hand: one user, one sink, one instant, unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.receipts import (
    Address,
    Damaged,
    Inventory,
    Place,
    Receipt,
    Registration,
    SetName,
    SinkName,
    Stored,
    TokenRef,
    Version,
)
from reconciler.core.spec import (
    ExpiresIn,
    Limits,
    Location,
    Schedule,
    TokenSet,
    TokenSpec,
    Tombstone,
    UnmanagedAction,
    UnmanagedPolicy,
)
from reconciler.core.tokens import LiveToken, TokenId, Unread, User, UserId
from reconciler.core.world import Requests, World

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SET, LOCAL = SetName("platform"), SinkName("local")
US, BOT = UserId("us"), UserId("bot")
SERVER = "https://netbird.example"


def place(name: str, sink: str = LOCAL) -> Place:
    return Place(SinkName(sink), f"platform/{name}")


def spec(name: str, **kw: Any) -> TokenSpec:
    facts: dict[str, Any] = {
        "set": SET, "name": name, "user": BOT, "live_name": name, "lifetime": ExpiresIn(90),
        "places": (place(name),), "where": Location("tokens.yaml", 5, 3),
    }  # fmt: skip
    return TokenSpec(**{**facts, **kw})


def tombstone(name: str, **kw: Any) -> Tombstone:
    return Tombstone(SET, name, kw.pop("user", BOT), name, "not wanted", Location("t.yaml", 9, 3))


def token(id_: str, name: str, **kw: Any) -> LiveToken:
    """A token of BOT, made ten days ago for 90 days by us, never used."""
    made = NOW - timedelta(**kw.pop("age", {"days": 10}))
    days = kw.pop("days", 90)
    facts: dict[str, Any] = {
        "id": TokenId(id_), "user": BOT, "name": name, "created_by": US,
        "created_at": made, "expires_at": made + timedelta(days=days),
    }  # fmt: skip
    return LiveToken(**{**facts, **kw})


def receipt(live: LiveToken, name: str | None = None, **kw: Any) -> Receipt:
    facts: dict[str, Any] = {
        "token": TokenRef(live.user, live.id), "set": SET, "name": name or live.name,
        "created_at": live.created_at, "expires_at": live.expires_at, "fingerprint": "f" * 16,
    }  # fmt: skip
    return Receipt(**{**facts, **kw})


def stored(of: Receipt) -> Stored:
    return Stored(of, Version(f"v-{of.token.id}"))


def damaged(of: Receipt | None) -> Damaged:
    return Damaged(of, Version("v-damaged"), "does not fit")


def inventory(
    entries: Mapping[str, Any] | None = None, *, registered: bool = True, **kw: Any
) -> Inventory:
    since = kw.pop("since", NOW - timedelta(days=300))
    known = Registration(SET, kw.pop("server", SERVER), kw.pop("principal", US), since)
    return Inventory(dict(entries or {}), {SET: known} if registered else {})


def world(
    specs: Sequence[TokenSpec] = (),
    tokens: Sequence[LiveToken] = (),
    sinks: Mapping[str, Inventory | Unread] | Inventory | Unread | None = None,
    **kw: Any,
) -> World:
    policy = UnmanagedPolicy(kw.pop("unmanaged", UnmanagedAction.WARN), kw.pop("ignore", ()))
    wanted = TokenSet(
        SET, tuple(specs), tuple(kw.pop("tombstones", ())), policy, kw.pop("limits", Limits()),
        kw.pop("schedule", Schedule()),
    )
    if not isinstance(sinks, Mapping):
        sinks = {LOCAL: inventory() if sinks is None else sinks}
    users = sorted({BOT, US, *(t.user for t in tokens), *(s.user for s in specs)})
    live: dict[UserId, Any] = {u: tuple(t for t in tokens if t.user == u) for u in users}
    live.update(kw.pop("live", {}))
    known = {u: User(u, str(u), "admin", is_service_user=True, is_current=u == US) for u in users}
    requests = Requests(**kw.pop("requests", {}))
    return World(
        wanted, SERVER, US, kw.pop("now", NOW), known, live,
        {SinkName(n): s for n, s in sinks.items()}, requests,
    )  # fmt: skip


def named(*names: str) -> frozenset[Address]:
    """Tokens of BOT as a command line names them."""
    return frozenset(Address(BOT, name) for name in names)


def held(*tokens: LiveToken, **kw: Any) -> Inventory:
    """A sink that holds each of these tokens under its own name."""
    return inventory({f"platform/{t.name}": stored(receipt(t, **kw)) for t in tokens})


def later(of: World, **delta: float) -> World:
    return replace(of, now=of.now + timedelta(**delta))
