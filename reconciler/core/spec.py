"""What people ask for: specs, tombstones and the rules of a set, every default filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from reconciler.core.receipts import Address, Place, SetName
from reconciler.core.tokens import TokenId, UserId


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where in a file something was written; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class ExpiresIn:
    """A life of so many whole days, renewed again and again."""

    days: int

    def __str__(self) -> str:
        return f"{self.days} days"


@dataclass(frozen=True, slots=True)
class ExpiresOn:
    """A last day (UTC, inclusive) that no renewal ever goes past."""

    day: date

    def __str__(self) -> str:
        return f"until {self.day}"


Lifetime = ExpiresIn | ExpiresOn

RenewBefore = Fraction | int
"""How long before its end a token is renewed: a share of its lifetime, or whole days."""


class Retire(StrEnum):
    """When a replaced token goes."""

    WHEN_UNUSED = "when-unused"
    AFTER_OVERLAP = "after-overlap"
    AT_EXPIRY = "at-expiry"


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """One token that must exist.

    Attributes:
        user: The owner's id. As written in the file (id, name of a service user, or `current`) until
            `gather` has resolved it.
        live_name: The name the token has on the server (`name`, decorated by the config's `live_name`).
        renew_before: None means the default: a third of the lifetime, half when it is 10 days or less.
        overlap_days: How long old and new both work; in effect at most a third of the lifetime.
        rotation: Raised by one to rotate in a reviewed commit.
        previously: Names that this spec had before.
        adopt: A token id; or True for the one live token of this name and user.
        renew: False lets it expire.
        places: Where its secret is kept; never empty.
    """

    set: SetName
    name: str
    user: UserId
    live_name: str
    lifetime: Lifetime
    places: tuple[Place, ...]
    where: Location
    renew_before: RenewBefore | None = None
    overlap_days: int = 7
    retire: Retire = Retire.WHEN_UNUSED
    protect: bool = False
    rotation: int = 0
    previously: tuple[str, ...] = ()
    adopt: TokenId | bool = False
    renew: bool = True

    @property
    def address(self) -> Address:
        return Address(self.user, self.name)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Its address and those it had before."""
        return (self.address, *(Address(self.user, name) for name in self.previously))


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One token that must not exist (`state: absent`)."""

    set: SetName
    name: str
    user: UserId
    live_name: str
    reason: str
    where: Location

    @property
    def address(self) -> Address:
        return Address(self.user, self.name)


class UnmanagedAction(StrEnum):
    """What to do about live tokens that are not ours."""

    IGNORE = "ignore"
    WARN = "warn"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class UnmanagedPolicy:
    """`ignore` holds shell patterns of live names."""

    action: UnmanagedAction = UnmanagedAction.WARN
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How many removals one run may carry out (DESIGN §6)."""

    count: int = 5
    percent: int = 25

    def tightened(self, other: Limits) -> Limits:
        return Limits(min(self.count, other.count), min(self.percent, other.percent))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often runs come, and how much one may do.

    Attributes:
        every: The time between two runs.
        max_renewals: How many renewals one run may carry out; None: all that are due.
    """

    every: timedelta = timedelta(days=1)
    max_renewals: int | None = None

    @property
    def slack(self) -> timedelta:
        """A run may be missed: what must be done in time must be begun two runs before its end."""
        return 2 * self.every


@dataclass(frozen=True, slots=True)
class TokenSet:
    """Everything one file or folder asks for."""

    name: SetName
    specs: tuple[TokenSpec, ...]
    tombstones: tuple[Tombstone, ...] = ()
    unmanaged: UnmanagedPolicy = field(default_factory=UnmanagedPolicy)
    limits: Limits = field(default_factory=Limits)
    schedule: Schedule = field(default_factory=Schedule)
