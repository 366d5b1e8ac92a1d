"""What a plan consists of: effects, which the engine carries out, and remarks, which only speak.

A closed sum type: the engine accepts effects and nothing else, so a remark cannot be applied.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.reasons import Why
from reconciler.core.receipts import Place, Receipt, Registration, SinkName, TokenRef, Version
from reconciler.core.spec import Location, TokenSpec
from reconciler.core.tokens import LiveToken, UserId


@dataclass(frozen=True, slots=True)
class Target:
    """A place to write, and the version that the write must still find there."""

    place: Place
    version: Version


@dataclass(frozen=True, slots=True)
class Register:
    """Register the set in a sink, before its first token is minted for it."""

    sink: SinkName
    registration: Registration
    why: Why


@dataclass(frozen=True, slots=True)
class Create:
    """Mint a token where none works.

    Attributes:
        days: The life to ask for.
        predecessors: Tokens that earlier receipts named and that the server still lists.
    """

    spec: TokenSpec
    days: int
    targets: tuple[Target, ...]
    predecessors: tuple[TokenRef, ...]
    why: Why


@dataclass(frozen=True, slots=True)
class Renew:
    """Mint a successor; the old token stays until a later run retires it.

    Attributes:
        old: The token that works now.
        retire_now: Tokens to revoke as soon as the new secret is in every sink (a compromise).
        own: Whether we may be running with the old token, or with one before it. Such a renewal comes
            last, and the rest of the run goes on with the new token.
    """

    spec: TokenSpec
    days: int
    targets: tuple[Target, ...]
    old: LiveToken
    predecessors: tuple[TokenRef, ...]
    why: Why
    retire_now: tuple[LiveToken, ...] = ()
    own: bool = False


@dataclass(frozen=True, slots=True)
class Amend:
    """Rewrite receipts and leave token and secret as they are."""

    spec: TokenSpec
    token: LiveToken
    before: Receipt
    after: Receipt
    targets: tuple[Target, ...]
    why: Why


@dataclass(frozen=True, slots=True)
class Revoke:
    """Revoke a token, then remove its secret where the receipt still names it.

    Attributes:
        name: The entry's name as people know it; the live name where no entry knows it.
        cleanup: Places whose receipt names this token as the current one; for an orphan, those that
            a killed run may have been writing to.
        where: The entry that asks for it, where there is one.
        if_idle: Whether a use since the plan was made saves it: nobody asked for it to go.
        by_name: Whether its name alone condemns it: the file says that there must be none, and no receipt
            of this set knows it.
    """

    name: str
    token: LiveToken
    cleanup: tuple[Place, ...]
    why: Why
    where: Location | None = None
    if_idle: bool = False
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Clean:
    """Remove a secret from a place that should not have it: its token is gone, or the entry moved on.

    Attributes:
        gone: With the receipt the last word about these tokens goes: the server must say of each that it
            does not have it. What this run revokes is among them.
    """

    name: str
    token: TokenRef
    place: Place
    why: Why
    gone: tuple[TokenRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """All is well.

    Attributes:
        renews_at: When the renewal window opens; None if it never will.
    """

    spec: TokenSpec
    token: LiveToken | None
    why: Why
    renews_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A token that will go, but not now.

    Attributes:
        until: The earliest moment it could go; None when that depends on somebody else.
    """

    name: str
    token: LiveToken
    why: Why
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something should happen and must not without a human or a complete view."""

    name: str
    user: UserId
    why: Why
    where: Location | None = None
    token: LiveToken | None = None


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """A live token that is not ours."""

    token: LiveToken
    why: Why


Mint = Create | Renew
Effect = Register | Create | Renew | Amend | Revoke | Clean
Remark = Keep | Wait | Blocked | Unmanaged
Change = Effect | Remark
