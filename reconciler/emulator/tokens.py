"""`/api/users/{user}/tokens`: list, get, create, delete (netbird-api.md §1.1, §2)."""

from __future__ import annotations

from reconciler.emulator import wire
from reconciler.emulator.mint import hashed
from reconciler.emulator.permissions import Module, Operation, is_admin, require
from reconciler.emulator.refusals import (
    pat_not_found,
    permission_denied,
    refused,
    user_not_found,
)
from reconciler.emulator.store import Pat, Person
from reconciler.emulator.visit import Site, Visit


def list_tokens(visit: Visit) -> wire.Json:
    """All tokens of a user, expired ones too; none at all is `null`."""
    target = _target(visit, Operation.READ)
    return [_shown(visit.site, pat) for pat in visit.store.tokens(target.id)] or None


def get_token(visit: Visit) -> wire.Json:
    return _shown(visit.site, _token(visit, _target(visit, Operation.READ)))


def create_token(visit: Visit) -> wire.Json:
    """Bad JSON comes first, then a bad name or range, then permission, then the user."""
    name, days = visit.parse(
        lambda fields: (wire.text_field(fields, "name"), wire.int_field(fields, "expires_in"))
    )
    if not name:
        raise refused(422, "token name can't be empty")
    if not 1 <= days <= 365:  # noqa: PLR2004 - the server's own range
        raise refused(422, "expiration has to be between 1 and 365")
    target = _target(visit, Operation.CREATE)
    expires = wire.add_days(visit.now, days, visit.site.zone)
    pat, plain = make(visit.site, Pat("", target.id, name, "", visit.caller.id, visit.now, expires))
    _log(visit, "personal.access.token.create", target, pat)
    return {"personal_access_token": _shown(visit.site, pat), "plain_token": plain}


def delete_token(visit: Visit) -> wire.Json:
    target = _target(visit, Operation.DELETE)
    pat = _token(visit, target)
    visit.store.delete_token(pat.id)
    _log(visit, "personal.access.token.delete", target, pat)
    return {}


def make(site: Site, wish: Pat) -> tuple[Pat, str]:
    """Store a token like `wish`, with an id and a secret of its own; the token and its plain text."""
    draw = site.draw()
    plain = draw.plain_token()
    pat = Pat(
        id=draw.token_id(wish.created_at),
        user=wish.user,
        name=wish.name,
        hash=hashed(plain),
        created_by=wish.created_by,
        created_at=wish.created_at,
        expires_at=wish.expires_at,
    )
    site.store.add_token(pat)
    return pat, plain


def _target(visit: Visit, operation: Operation) -> Person:
    """Whose tokens this is about, if the caller may."""
    caller = visit.caller
    require(caller, Module.PATS, operation)
    target = visit.store.user(visit.params["user"])
    if target is None:
        raise user_not_found(visit.params["user"])
    if target.account != caller.account:
        raise permission_denied()
    if target.id != caller.id and not (is_admin(caller) and target.is_service_user):
        raise refused(403, "admin role required to perform this action")
    return target


def _token(visit: Visit, target: Person) -> Pat:
    pat = visit.store.token(visit.params["token"])
    if pat is None or pat.user != target.id:
        raise pat_not_found(visit.params["token"])
    return pat


def _shown(site: Site, pat: Pat) -> dict[str, wire.Json]:
    shown: dict[str, wire.Json] = {
        "created_at": wire.stamp(pat.created_at, site.zone),
        "created_by": pat.created_by,
        "expiration_date": wire.stamp(pat.expires_at, site.zone),
        "id": pat.id,
    }
    if pat.last_used is not None:
        shown["last_used"] = wire.utc_stamp(pat.last_used)
    return {**shown, "name": pat.name}


def _log(visit: Visit, code: str, target: Person, pat: Pat) -> None:
    service = target.is_service_user
    meta = {
        "name": pat.name,
        "is_service_user": "true" if service else "false",
        "user_name": target.name if service else "",
    }
    visit.log(code, target, meta)
