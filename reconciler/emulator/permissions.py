"""Who may do what (netbird-api.md §2). Blocked comes before pending, both before any role."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from reconciler.emulator.refusals import Refusal, permission_denied, refused
from reconciler.emulator.store import Person


class Operation(StrEnum):
    CREATE = "create"
    DELETE = "delete"
    READ = "read"
    UPDATE = "update"


class Module(StrEnum):
    EVENTS = "events"
    PATS = "pats"
    USERS = "users"


ROLES: Final = ("owner", "admin", "user", "billing_admin", "auditor", "network_admin")
_ALL: Final = frozenset(Operation)
_READ: Final = frozenset({Operation.READ})
_EVERYTHING: Final = dict.fromkeys(Module, _ALL)
_LOOK: Final = dict.fromkeys(Module, _READ)
_MATRIX: Final[Mapping[str, Mapping[Module, frozenset[Operation]]]] = {
    "owner": _EVERYTHING,
    "admin": _EVERYTHING,
    "network_admin": {**_LOOK, Module.PATS: _ALL},
    "auditor": _LOOK,
    "user": dict.fromkeys(Module, frozenset()),
}  # billing_admin is missing in the open-source server, too


def allows(person: Person, module: Module, operation: Operation) -> bool:
    """Whether the role reaches this far. Raises Refusal for people whom no role helps."""
    if person.is_blocked:
        raise _invalid("user is blocked")
    if person.is_pending:
        raise _invalid("user is pending approval")
    if person.is_service_user and operation is Operation.READ:
        return True
    if person.role not in _MATRIX:
        raise _invalid(f"user role: {person.role} not found")
    return operation in _MATRIX[person.role][module]


def require(person: Person, module: Module, operation: Operation) -> None:
    """Raises Refusal unless `allows`."""
    if not allows(person, module, operation):
        raise permission_denied()


def granted(role: str) -> Mapping[str, Mapping[str, bool]]:
    """The role's row of the matrix, as `/users/current` shows it."""
    return {
        module.value: {operation.value: operation in operations for operation in Operation}
        for module, operations in _MATRIX.get(role, {}).items()
    }


def is_admin(person: Person) -> bool:
    return person.role in ("owner", "admin")


def _invalid(why: str) -> Refusal:
    return refused(403, f"failed to validate user permissions: {why}")
