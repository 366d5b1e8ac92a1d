"""`/api/users`: list, who am I, and service users made, changed and deleted (netbird-api.md §1.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.emulator import wire
from reconciler.emulator.permissions import (
    ROLES,
    Module,
    Operation,
    allows,
    granted,
    is_admin,
    require,
)
from reconciler.emulator.refusals import permission_denied, refused, user_not_found
from reconciler.emulator.store import Person
from reconciler.emulator.visit import Visit

_BOOLS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def list_users(visit: Visit) -> wire.Json:
    """In another order every time; a human of role `user` sees only themselves."""
    wanted = visit.query.get("service_user", [""])[0]
    if wanted and wanted not in _BOOLS:
        raise refused(422, "invalid service_user query parameter")
    people = [visit.caller]
    if allows(visit.caller, Module.USERS, Operation.READ):
        people = visit.store.users(visit.caller.account)
    visit.site.chance.shuffle(people)
    return [
        _shown(visit, person)
        for person in people
        if not wanted or person.is_service_user == _BOOLS[wanted]
    ]


def current_user(visit: Visit) -> wire.Json:
    """Who am I, for humans only."""
    caller = visit.caller
    if caller.is_blocked or caller.is_pending:
        raise refused(403, "user is blocked")
    if caller.is_service_user:
        raise permission_denied()
    permissions: wire.Json = {
        "is_restricted": caller.role == "user",
        "modules": granted(caller.role),
    }
    return {**_shown(visit, caller), "permissions": permissions}


def create_user(visit: Visit) -> wire.Json:
    """A service user; inviting a human needs an identity provider, which this server has not."""
    name, role, groups, is_service = visit.parse_or_panic(
        lambda fields: (
            wire.text_field(fields, "name"),
            wire.text_field(fields, "role"),
            wire.list_field(fields, "auto_groups"),
            wire.bool_field(fields, "is_service_user"),
        )
    )
    require(visit.caller, Module.USERS, Operation.CREATE)
    if not is_service:
        raise refused(412, "idp manager must be enabled to send user invites")
    if role.lower() not in ROLES:
        raise refused(422, f"unknown user role {role}")
    if role.lower() == "owner":
        raise refused(422, "can't create a service user with owner role")
    person = Person(
        id=visit.site.draw().service_user_id(),
        account=visit.caller.account,
        name=name,
        email="",
        role=role.lower(),
        is_service_user=True,
        created_at=visit.now,
        groups=groups or (),
    )
    visit.store.put_user(person)
    visit.log("service.user.create", person, {"name": name})
    return _shown(visit, person)


def update_user(visit: Visit) -> wire.Json:
    """Replaces role, groups and blocked; a missing `is_blocked` unblocks."""
    target = _found(visit)
    role, groups, is_blocked = visit.parse_or_panic(
        lambda fields: (
            wire.text_field(fields, "role"),
            wire.list_field(fields, "auto_groups"),
            wire.bool_field(fields, "is_blocked"),
        )
    )
    if groups is None:
        raise refused(400, "auto_groups field can't be absent")
    if role.lower() not in ROLES:
        raise refused(422, "invalid user role")
    require(visit.caller, Module.USERS, Operation.UPDATE)
    changed = replace(target, role=role.lower(), groups=groups, is_blocked=is_blocked)
    for applies, code, why in _objections(visit.caller, target, changed):
        if applies:
            raise refused(code, f"failed to process update for user {target.id}: {why}")
    visit.store.put_user(changed)
    return _shown(visit, changed)


def delete_user(visit: Visit) -> wire.Json:
    """With all their tokens, about which the audit log says nothing."""
    if visit.params["user"] == visit.caller.id:
        raise refused(422, "self deletion is not allowed")
    require(visit.caller, Module.USERS, Operation.DELETE)
    target = _found(visit)
    if target.account != visit.caller.account:
        raise user_not_found(target.id)
    if target.role == "owner":
        raise refused(403, "can't delete a user with the owner role")
    visit.store.delete_user(target.id)
    meta = {"name": target.name, "created_at": wire.stamp(target.created_at, visit.site.zone)}
    visit.log("service.user.delete" if target.is_service_user else "user.delete", target, meta)
    return {}


def _found(visit: Visit) -> Person:
    person = visit.store.user(visit.params["user"])
    if person is None:
        raise user_not_found(visit.params["user"])
    return person


def _objections(caller: Person, old: Person, new: Person) -> tuple[tuple[bool, int, str], ...]:
    """Whether each objection applies, its status and its message; the first that applies counts."""
    admin_self = caller.id == old.id and is_admin(caller)
    to_owner = new.role == "owner"
    group = next(iter(new.groups), "")
    no_group = f"provided group id {group} in the user {old.id} update doesn't exist"
    return (
        (old.account != caller.account, 422, "user account id mismatch"),
        (bool(group), 422, no_group),
        (admin_self and old.role != new.role, 403, "admins can't change their role"),
        (
            admin_self and old.is_blocked != new.is_blocked,
            403,
            "admins can't block or unblock themselves",
        ),
        (
            to_owner and caller.role != "owner",
            403,
            "only owners can add owner role to other users",
        ),
        (
            to_owner and old.is_service_user,
            403,
            "can't update a service user with owner role",
        ),
    )


def _shown(visit: Visit, person: Person) -> dict[str, wire.Json]:
    return {
        "auto_groups": person.groups,
        "email": person.email,
        "id": person.id,
        "is_blocked": person.is_blocked,
        "is_current": person.id == visit.caller.id,
        "is_service_user": person.is_service_user,
        "issued": "api",
        "last_login": wire.ZERO_TIME,
        "name": person.name,
        "pending_approval": person.is_pending,
        "role": person.role,
        "status": "blocked" if person.is_blocked else "active",
    }
