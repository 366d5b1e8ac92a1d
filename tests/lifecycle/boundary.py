"""The product's ports, over a wire: each call becomes an `Op`, whoever answers it.

A sink of several writes makes several calls, as a real adapter does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memory import POWERS, Cell, Op, Store, Write, secret_of, version_of
from worlds import BOT, SET, US

from reconciler.core.ports import Minted, Power
from reconciler.core.receipts import (
    Absent,
    Damaged,
    Inventory,
    Lookup,
    Receipt,
    Registration,
    SinkName,
    Stored,
    Version,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import LiveToken, TokenId, Unread, User, UserId
from reconciler.errors import Gone, SinkRefused

Wire = Callable[[Op], Any]
BOT2 = UserId("bot2")


class Service:
    """The management API."""

    def __init__(self, wire: Wire, *, two_steps: bool) -> None:
        self._wire = wire
        self._two_steps = two_steps
        self._now: datetime | None = None

    def users(self) -> tuple[User, ...]:
        self._now = self._wire(Op("users"))
        facts = {"role": "admin", "is_service_user": True}
        return (
            User(US, "us", is_current=True, **facts),
            User(BOT, "bot", is_current=False, **facts),
            User(BOT2, "bot2", is_current=False, **facts),
        )

    def server_time(self) -> datetime:
        assert self._now is not None
        return self._now

    def tokens(self, user: UserId) -> tuple[LiveToken, ...]:
        found: tuple[LiveToken, ...] = self._wire(Op("tokens", (user,)))
        return found

    def token(self, user: UserId, token: TokenId) -> LiveToken:
        found = next((t for t in self._wire(Op("token", (user,))) if t.id == token), None)
        if found is None:
            raise Gone(f"pat: {token} not found")
        return found

    def create(self, user: UserId, live_name: str, days: int) -> Minted:
        wish = (user, live_name, US, days)
        if self._two_steps:
            made = self._wire(Op("stamp", (wish,), "service"))
            self._wire(Op("commit", (made,), "service"))
        else:
            made = self._wire(Op("create", (wish,), "service"))
        return Minted(made, secret_of(made.id))

    def revoke(self, user: UserId, token: TokenId) -> None:
        if not self._wire(Op("revoke", (token,), "service")):
            raise Gone(f"pat: {token} not found")

    def switch(self, secret: Secret) -> None:
        raise AssertionError("no scenario here manages its own credential")


@dataclass
class MemorySink:
    """A sink of any kind."""

    wire: Wire
    name: SinkName
    kind: str

    @property
    def power(self) -> Power:
        return POWERS[self.kind]

    def inventory(self, keys: Collection[str]) -> Inventory:
        store: Store = self.wire(Op("inventory", (self.name,)))
        found = {key: lookup_of(store.kind, cell) for key, cell in store.cells}
        entries: dict[str, Any] = {k: at for k, at in found.items() if not isinstance(at, Absent)}
        entries |= {key: Unread("injected") for key in store.hidden}
        return Inventory(entries, {SET: store.registration} if store.registration else {})

    def preflight(self, key: str) -> None:
        pass

    def register(self, registration: Registration) -> None:
        self.wire(Op("register", (self.name, registration), "sink"))

    def put(self, key: str, secret: Secret, receipt: Receipt, expect: Version) -> None:
        match self.kind:
            case "cas" | "last":
                written = self._write("put", key, Write(receipt, expect))
            case "file":
                written = self._write("write_receipt", key, Write(receipt, expect))
                if written:
                    self._write("write_value", key, receipt.token.id)
            case _:
                self._write("note", key, (receipt, None))
                self._write("set_value", key, receipt.token.id)
                stamp = self.wire(Op("stamp_of", (self.name, key))).stamp
                written = self._write("note", key, (receipt, stamp))
        self._claim(written)

    def amend(self, key: str, receipt: Receipt, expect: Version) -> None:
        if self.kind in ("cas", "file"):
            self._claim(self._write("amend", key, Write(receipt, expect)))
            return
        cell = self.wire(Op("read", (self.name, key)))
        self._claim(Write(receipt, expect).fits(cell))
        if self.kind == "last":
            self._write("rewrite", key, receipt)
        else:
            self._write("note", key, (receipt, cell.stamp))

    def _claim(self, written: bool) -> None:
        if not written:
            raise SinkRefused(f"{self.name} changed since the plan")

    def _write(self, what: str, *args: Any) -> bool:
        done: bool = self.wire(Op(what, (self.name, *args), "sink"))
        return done

    def read(self, key: str) -> Lookup:
        return lookup_of(self.kind, self.wire(Op("read", (self.name, key))))

    def delete(self, key: str, token: TokenId) -> bool:
        known = self._write("delete", key, token)
        if known and self.kind == "file":
            self._write("drop_receipt", key)
        return known


def lookup_of(kind: str, cell: Cell) -> Stored | Damaged | Absent:
    if cell.value is None and cell.receipt is None:
        return Absent()
    version = Version(version_of(cell))
    if cell.receipt is not None and _vouches(kind, cell):
        return Stored(cell.receipt, version)
    return Damaged(cell.receipt, version, "does not fit")


def _vouches(kind: str, cell: Cell) -> bool:
    if kind == "blind":
        return cell.noted is not None and cell.noted == cell.stamp
    return cell.receipt is not None and cell.receipt.token.id == cell.value
