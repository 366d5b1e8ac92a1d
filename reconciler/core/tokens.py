"""What the server says: users and live tokens. Times are aware and UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NewType

UserId = NewType("UserId", str)
TokenId = NewType("TokenId", str)

DAY: Final = timedelta(days=1)
MAX_DAYS: Final = 365
"""NetBird refuses a longer life (netbird-api.md §3)."""


@dataclass(frozen=True, slots=True)
class User:
    """One user of the account.

    Attributes:
        name: Display name; of service users the name they were made with. Not unique.
        is_current: Whether our own credential belongs to this user.
    """

    id: UserId
    name: str
    role: str
    is_service_user: bool
    is_current: bool
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class LiveToken:
    """One token as the server lists it; expired tokens stay listed until somebody revokes them.

    Attributes:
        user: Whose token it is (the path it was listed under).
        created_by: Who made it, which need not be the owner.
        last_used: None until its first use.
    """

    id: TokenId
    user: UserId
    name: str
    created_by: UserId
    created_at: datetime
    expires_at: datetime
    last_used: datetime | None = None

    def works(self, now: datetime) -> bool:
        """Whether it still authenticates; the server refuses strictly after the expiry."""
        return now <= self.expires_at

    def age(self, now: datetime) -> timedelta:
        return max(now - self.created_at, timedelta())

    @property
    def days(self) -> int:
        """The whole days it was made for: exact for the API's own tokens, DST included (§6)."""
        return round((self.expires_at - self.created_at) / DAY)


@dataclass(frozen=True, slots=True)
class Unread:
    """Could not look. Never the same as "nothing there"."""

    why: str


Listing = tuple[LiveToken, ...] | Unread
