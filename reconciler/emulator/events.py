"""`/api/events/audit`: who made and revoked what. The token id appears nowhere (netbird-api.md §1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.emulator import wire
from reconciler.emulator.permissions import Module, Operation, require
from reconciler.emulator.store import Event, Person
from reconciler.emulator.visit import Visit

_NEWEST: Final = 10_000
_ACTIVITIES: Final = {
    "personal.access.token.create": "Personal access token created",
    "personal.access.token.delete": "Personal access token deleted",
    "service.user.create": "Service user created",
    "service.user.delete": "Service user deleted",
    "user.delete": "User deleted",
}


def list_events(visit: Visit) -> wire.Json:
    """The newest first; names of people who are gone stay blank."""
    require(visit.caller, Module.EVENTS, Operation.READ)
    account = visit.caller.account
    people = {person.id: person for person in visit.store.users(account)}
    return [_shown(event, people) for event in visit.store.events(account, _NEWEST)]


def _shown(event: Event, people: Mapping[str, Person]) -> dict[str, wire.Json]:
    initiator, target = people.get(event.initiator), people.get(event.target)
    known = {} if target is None else {"email": target.email, "username": target.name}
    return {
        "activity": _ACTIVITIES[event.code],
        "activity_code": event.code,
        "id": str(event.id),
        "initiator_email": "" if initiator is None else initiator.email,
        "initiator_id": event.initiator,
        "initiator_name": "" if initiator is None else initiator.name,
        "meta": {**event.meta, **known},
        "target_id": event.target,
        "timestamp": wire.utc_stamp(event.at),
    }
