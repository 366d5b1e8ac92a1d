"""Who we are, and who is meant: users by what people write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.core.tokens import Unread, User, UserId
from reconciler.errors import BadAnswer

CURRENT: Final = UserId("current")
"""Ourselves, as files and flags write it."""


class Directory:
    """The users of an account.

    Attributes:
        principal: The one that our own credential belongs to.

    Raises:
        BadAnswer: Nobody, or more than one, is marked as that: the list is not what it should be.
    """

    def __init__(self, users: Sequence[User]) -> None:
        current = [user for user in users if user.is_current]
        if len(current) != 1:
            raise BadAnswer(
                f"GET /api/users marks {len(current)} users as the current one, expected 1",
                hint="check that the management URL leads to NetBird itself",
            )
        self.principal = current[0]
        self.by_id = {user.id: user for user in users}
        self._services: dict[str, list[UserId]] = {}
        for user in users:
            if user.is_service_user:
                self._services.setdefault(user.name, []).append(user.id)

    def find(self, written: str) -> UserId | Unread:
        """By `current`, an id, or the name of exactly one service user."""
        if written == CURRENT:
            return self.principal.id
        if written in self.by_id:
            return UserId(written)
        match sorted(self._services.get(written, ())):
            case [one]:
                return one
            case []:
                return Unread(f"no user has the id and no service user the name {written!r}")
            case several:
                ids = ", ".join(several)
                return Unread(
                    f"{len(several)} service users are named {written!r}: write one of {ids}"
                )

    def service_names(self) -> list[str]:
        """The names of all service users, in the order of the alphabet."""
        return sorted(self._services)
