"""A look at an account as a document, to plan from without a credential. Holds no secret by construction.

Neither fingerprints nor versions are in it: they serve to write, and nothing is written from a
snapshot. Of the people of an account only those stay that a plan must know: service users, and owners
of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from reconciler.core.receipts import Damaged, Inventory, Receipt, Registration, Stored, TokenRef
from reconciler.core.tokens import LiveToken, Unread, User
from reconciler.core.world import World
from reconciler.reports.document import FORMAT_VERSION, Target, Tool
from reconciler.reports.json import TOOL


class Person(TypedDict):
    id: str
    name: str
    role: str
    is_service_user: bool
    is_current: bool
    is_blocked: bool


class Live(TypedDict):
    """One live token; times are RFC 3339, UTC, as exact as the server tells them."""

    id: str
    name: str
    created_by: str
    created_at: str
    expires_at: str
    last_used: str | None


class List(TypedDict):
    """The tokens of one user, or why they could not be read."""

    tokens: NotRequired[list[Live]]
    unread: NotRequired[str]


class Ref(TypedDict):
    user: str
    token: str


class Described(TypedDict):
    """A receipt, but for its fingerprint."""

    token: Ref
    set: str
    name: str
    created_at: str
    expires_at: str
    rotation: int
    protect: bool
    predecessors: list[Ref]
    undeployed: bool


class Entry(TypedDict):
    """What is at one key: a receipt that fits the value, or what is wrong there."""

    receipt: NotRequired[Described | None]
    damaged: NotRequired[str]
    unread: NotRequired[str]


class Registered(TypedDict):
    set: str
    server: str
    principal: str
    since: str


class Store(TypedDict):
    """All that one sink holds, or why it could not be read."""

    entries: NotRequired[dict[str, Entry]]
    registrations: NotRequired[list[Registered]]
    unread: NotRequired[str]


class Snapshot(TypedDict):
    """`schemas/snapshot.v1.schema.json`."""

    format: str
    format_version: str
    tool: Tool
    set: str
    target: Target
    as_of: str
    complete: bool
    users: list[Person]
    live: dict[str, List]
    sinks: dict[str, Store]


def snapshot_document(world: World) -> Snapshot:
    """All that `core.aim.aimed` needs to plan another set from this look."""
    unread = [each for each in (*world.live.values(), *world.sinks.values()) if _is_unread(each)]
    kept = set(world.live)
    people = [u for u in world.users.values() if u.is_service_user or u.is_current or u.id in kept]
    return {
        "format": "netbird-tokens/snapshot",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "set": world.wanted.name,
        "target": {"management_url": world.server, "principal": world.principal},
        "as_of": exact(world.now),
        "complete": not unread,
        "users": [_person(user) for user in sorted(people, key=lambda each: each.id)],
        "live": {user: _list(world.live[user]) for user in sorted(world.live)},
        "sinks": {name: _store(world.sinks[name]) for name in sorted(world.sinks)},
    }


def exact(moment: datetime) -> str:
    """RFC 3339, UTC, with all its digits."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _is_unread(found: object) -> bool:
    entries = found.entries.values() if isinstance(found, Inventory) else [found]
    return any(isinstance(each, Unread) for each in entries)


def _person(user: User) -> Person:
    return {
        "id": user.id,
        "name": user.name if user.is_service_user else "",
        "role": user.role,
        "is_service_user": user.is_service_user,
        "is_current": user.is_current,
        "is_blocked": user.is_blocked,
    }


def _list(found: tuple[LiveToken, ...] | Unread) -> List:
    if isinstance(found, Unread):
        return {"unread": found.why}
    return {"tokens": [_token(token) for token in sorted(found, key=lambda each: each.id)]}


def _token(token: LiveToken) -> Live:
    return {
        "id": token.id,
        "name": token.name,
        "created_by": token.created_by,
        "created_at": exact(token.created_at),
        "expires_at": exact(token.expires_at),
        "last_used": exact(token.last_used) if token.last_used else None,
    }


def _store(found: Inventory | Unread) -> Store:
    if isinstance(found, Unread):
        return {"unread": found.why}
    registrations = sorted(found.registrations.values(), key=lambda each: each.set)
    return {
        "registrations": [_registered(each) for each in registrations],
        "entries": _entries(found.entries),
    }


def _entries(found: Mapping[str, Stored | Damaged | Unread]) -> dict[str, Entry]:
    return {key: _entry(found[key]) for key in sorted(found)}


def _entry(found: Stored | Damaged | Unread) -> Entry:
    match found:
        case Unread(why):
            return {"unread": why}
        case Stored(receipt):
            return {"receipt": _described(receipt)}
        case Damaged(receipt, _, why):
            return {"receipt": _described(receipt) if receipt else None, "damaged": why}


def _described(receipt: Receipt) -> Described:
    return {
        "token": _ref(receipt.token),
        "set": receipt.set,
        "name": receipt.name,
        "created_at": exact(receipt.created_at),
        "expires_at": exact(receipt.expires_at),
        "rotation": receipt.rotation,
        "protect": receipt.protect,
        "predecessors": [_ref(ref) for ref in receipt.predecessors],
        "undeployed": receipt.undeployed,
    }


def _ref(ref: TokenRef) -> Ref:
    return {"user": ref.user, "token": ref.id}


def _registered(registration: Registration) -> Registered:
    return {
        "set": registration.set,
        "server": registration.server,
        "principal": registration.principal,
        "since": exact(registration.since),
    }
