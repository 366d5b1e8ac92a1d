"""Whom a change is about: its action word, name, user and tokens. mypy lists what a new kind needs."""

from __future__ import annotations

from typing import assert_never

from reconciler.core.changes import (
    Amend,
    Blocked,
    Change,
    Clean,
    Create,
    Keep,
    Register,
    Renew,
    Revoke,
    Unmanaged,
    Wait,
)
from reconciler.core.receipts import Address, Place, TokenRef
from reconciler.core.spec import Location
from reconciler.core.tokens import LiveToken, UserId


def action_of(change: Change) -> str:
    """The word for it in every output."""
    return type(change).__name__.lower()


def name_of(change: Change) -> str:
    """The name that people wrote; the live name or the sink where no entry is concerned."""
    match change:
        case Create() | Renew() | Amend() | Keep():
            return change.spec.name
        case Revoke() | Clean() | Wait() | Blocked():
            return change.name
        case Unmanaged():
            return change.token.name
        case Register():
            return change.sink
        case _:
            assert_never(change)


def user_of(change: Change) -> UserId:
    match change:
        case Create() | Renew() | Amend() | Keep():
            return change.spec.user
        case Revoke() | Wait() | Unmanaged() | Clean():
            return change.token.user
        case Blocked():
            return change.user
        case Register():
            return change.registration.principal
        case _:
            assert_never(change)


def address_of(change: Change) -> Address:
    """By what it can be asked for on the command line."""
    return Address(user_of(change), name_of(change))


def refs_of(change: Change) -> tuple[TokenRef, ...]:
    """The tokens that exist and that it concerns."""
    match change:
        case Create() | Renew():
            return change.predecessors
        case Clean():
            return (change.token,)
        case Register():
            return ()
        case Amend() | Revoke() | Keep() | Wait() | Blocked() | Unmanaged():
            token = change.token
            return () if token is None else (TokenRef(token.user, token.id),)
        case _:
            assert_never(change)


def places_of(change: Change) -> tuple[Place, ...]:
    """Where it writes, or removes, a secret or a receipt."""
    match change:
        case Create() | Renew() | Amend():
            return tuple(target.place for target in change.targets)
        case Revoke():
            return change.cleanup
        case Clean():
            return (change.place,)
        case Register() | Blocked() | Wait() | Unmanaged() | Keep():
            return ()
        case _:
            assert_never(change)


def token_of(change: Change) -> LiveToken | None:
    """The live token that it starts from."""
    match change:
        case Renew():
            return change.old
        case Amend() | Revoke() | Keep() | Wait() | Blocked() | Unmanaged():
            return change.token
        case Create() | Register() | Clean():
            return None
        case _:
            assert_never(change)


def where_of(change: Change) -> Location | None:
    """The line that asks for it."""
    match change:
        case Create() | Renew() | Amend() | Keep():
            return change.spec.where
        case Revoke() | Blocked():
            return change.where
        case Register() | Clean() | Wait() | Unmanaged():
            return None
        case _:
            assert_never(change)
