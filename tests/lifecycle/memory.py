"""The smallest service and sinks that the product can run against: one immutable value, and the steps
that change it. A step is what a real server or store does in one go; everything else can happen between
two of them.

Four kinds of sinks stand for all there are (sinks.md §2.12):
- `cas`: value and receipt in one conditional write (Vault, Kubernetes, AWS Secrets Manager);
- `file`: a receipt beside the value, two writes under a lock that falls with its process;
- `last`: value and receipt in one write, the last writer wins (GitLab, SSM, Azure);
- `blind`: the value can never be read back; a companion record speaks for it by the stamp of the last
  change, to the second: two writes of one moment have one stamp (GitHub).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.ports import Power
from reconciler.core.receipts import Receipt, Registration, SinkName
from reconciler.core.secret import Secret, checksum
from reconciler.core.tokens import LiveToken, TokenId, UserId

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
POWERS = {
    "cas": Power.CONDITIONAL,
    "file": Power.CONDITIONAL,
    "last": Power.UNCONDITIONAL,
    "blind": Power.WRITE_ONLY,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """What one place holds.

    Attributes:
        value: Whose secret a consumer reads there.
        stamp: When the value last changed; `noted` is what the companion record of a `blind` sink says.
        writer: The run that holds the lock of a `file` place.
    """

    value: TokenId | None = None
    receipt: Receipt | None = None
    version: int = 0
    stamp: datetime | None = None
    noted: datetime | None = None
    writer: int | None = None


EMPTY = Cell()


@dataclass(frozen=True, slots=True)
class Store:
    """One sink.

    Attributes:
        cells: What is at each key that was ever written.
        hidden: Keys that this one look could not read.
    """

    kind: str
    cells: tuple[tuple[str, Cell], ...] = ()
    registration: Registration | None = None
    hidden: frozenset[str] = frozenset()

    def at(self, key: str) -> Cell:
        return next((cell for known, cell in self.cells if known == key), EMPTY)

    def holding(self, key: str, cell: Cell) -> Store:
        others = (pair for pair in self.cells if pair[0] != key)
        return replace(self, cells=tuple(sorted((*others, (key, cell)), key=_first)))


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything outside the runs.

    Attributes:
        listed: Tokens that the server shows.
        unlisted: Tokens that it has stamped and not yet committed.
        revoked: Every token that was ever revoked.
        deployed: What a deploy hook has succeeded for, and where; None where there is no hook.
    """

    stores: tuple[tuple[SinkName, Store], ...]
    listed: tuple[LiveToken, ...] = ()
    unlisted: tuple[LiveToken, ...] = ()
    revoked: frozenset[TokenId] = frozenset()
    now: datetime = START
    minted: int = 0
    deployed: frozenset[tuple[SinkName, TokenId | None]] | None = None

    def store(self, sink: SinkName) -> Store:
        return next(store for name, store in self.stores if name == sink)

    def with_store(self, sink: SinkName, store: Store) -> Memory:
        return replace(
            self, stores=tuple((name, store if name == sink else s) for name, s in self.stores)
        )

    def with_cell(self, sink: SinkName, key: str, **changes: Any) -> Memory:
        store = self.store(sink)
        cell = store.at(key)
        changed = replace(cell, version=cell.version + 1, **changes)
        return self.with_store(sink, store.holding(key, changed))

    def works(self, token: TokenId) -> bool:
        return any(t.id == token and t.works(self.now) for t in self.listed)


def _first(pair: tuple[str, Cell]) -> str:
    return pair[0]


def secret_of(token: TokenId) -> Secret:
    body = f"{token:0>30}"
    return Secret(f"nbp_{body}{checksum(body)}")


# The steps. Each takes the memory and the number of the run, and gives the memory after it and the answer.

Step = Callable[[Memory, int], tuple[Memory, Any]]


@dataclass(frozen=True, slots=True)
class Op:
    """One call of a run at the boundary of the process, as data.

    Attributes:
        what: The name of a function below.
        writes: What the call may change: `service`, `sink`, or nothing.
    """

    what: str
    args: tuple[Any, ...] = ()
    writes: str = ""

    def __str__(self) -> str:
        shown = [str(a) for a in self.args if isinstance(a, str)]
        return f"{self.what}({', '.join(shown)})"


def perform(op: Op, memory: Memory, run: int) -> tuple[Memory, Any]:
    return STEPS[op.what](memory, run, *op.args)


def is_possible(op: Op, memory: Memory, run: int) -> bool:
    """Whether the step can be taken now: a locked file and a settling server make others wait."""
    if op.what == "settle":
        mine = next((t for t in memory.listed if t.id == op.args[0]), None)
        return mine is None or all(t.created_at > mine.created_at for t in memory.unlisted)
    if op.what == "inventory":
        return all(cell.writer in (None, run) for _, cell in memory.store(op.args[0]).cells)
    if op.what in ("read", "write_receipt", "delete", "amend", "rewrite"):
        return memory.store(op.args[0]).at(op.args[1]).writer in (None, run)
    return True


def bury(memory: Memory, run: int) -> Memory:
    """A process died: its locks fall."""
    for name, store in memory.stores:
        for key, cell in store.cells:
            if cell.writer == run:
                freed = memory.store(name).holding(key, replace(cell, writer=None))
                memory = memory.with_store(name, freed)
    return memory


def _users(memory: Memory, run: int) -> tuple[Memory, Any]:
    return memory, memory.now


def _tokens(memory: Memory, run: int, user: UserId) -> tuple[Memory, Any]:
    return memory, tuple(t for t in memory.listed if t.user == user)


def _stamp(memory: Memory, run: int, wish: tuple[UserId, str, UserId, int]) -> tuple[Memory, Any]:
    """The first half of a create: the server has taken the time, and shows nothing yet."""
    user, name, by, days = wish
    count = memory.minted + 1
    at = memory.now + timedelta(milliseconds=count)
    made = LiveToken(TokenId(f"t{count}"), user, name, by, at, at + timedelta(days=days))
    return replace(memory, minted=count, unlisted=(*memory.unlisted, made)), made


def _commit(memory: Memory, run: int, made: LiveToken) -> tuple[Memory, Any]:
    rest = tuple(t for t in memory.unlisted if t.id != made.id)
    return replace(memory, unlisted=rest, listed=(*memory.listed, made)), None


def _create(memory: Memory, run: int, wish: tuple[UserId, str, UserId, int]) -> tuple[Memory, Any]:
    memory, made = _stamp(memory, run, wish)
    return _commit(memory, run, made)[0], made


def _revoke(memory: Memory, run: int, token: TokenId) -> tuple[Memory, Any]:
    rest = tuple(t for t in memory.listed if t.id != token)
    if rest == memory.listed:
        return memory, False
    return replace(memory, listed=rest, revoked=memory.revoked | {token}), True


def _settle(memory: Memory, run: int, mine: TokenId) -> tuple[Memory, Any]:
    return memory, None


def _clock(memory: Memory, run: int) -> tuple[Memory, Any]:
    return memory, (memory.now - START).total_seconds()


def _inventory(memory: Memory, run: int, sink: SinkName) -> tuple[Memory, Any]:
    return memory, memory.store(sink)


def _read(memory: Memory, run: int, sink: SinkName, key: str) -> tuple[Memory, Any]:
    return memory, memory.store(sink).at(key)


def _register(memory: Memory, run: int, sink: SinkName, known: Registration) -> tuple[Memory, Any]:
    return memory.with_store(sink, replace(memory.store(sink), registration=known)), None


@dataclass(frozen=True, slots=True)
class Write:
    """A receipt on its way to a place, and the version that must still be there."""

    receipt: Receipt
    expect: str

    def fits(self, cell: Cell) -> bool:
        return version_of(cell) == self.expect or cell.receipt == self.receipt


def _put(memory: Memory, run: int, sink: SinkName, key: str, write: Write) -> tuple[Memory, Any]:
    """Value and receipt in one write; whether it was made."""
    store = memory.store(sink)
    if store.kind == "cas" and not write.fits(store.at(key)):
        return memory, False
    receipt = write.receipt
    return memory.with_cell(sink, key, value=receipt.token.id, receipt=receipt), True


def _write_receipt(
    memory: Memory, run: int, sink: SinkName, key: str, write: Write
) -> tuple[Memory, Any]:
    """The first of the two writes of a file; takes the lock."""
    if not write.fits(memory.store(sink).at(key)):
        return memory, False
    return memory.with_cell(sink, key, receipt=write.receipt, writer=run), True


def _write_value(
    memory: Memory, run: int, sink: SinkName, key: str, token: TokenId
) -> tuple[Memory, Any]:
    return memory.with_cell(sink, key, value=token, writer=None), True


def _note(
    memory: Memory, run: int, sink: SinkName, key: str, noted: tuple[Receipt, Any]
) -> tuple[Memory, Any]:
    """The companion record, before the value with no stamp, after it with the value's."""
    receipt, stamp = noted
    return memory.with_cell(sink, key, receipt=receipt, noted=stamp), True


def _set_value(memory: Memory, run: int, sink: SinkName, key: str, token: TokenId) -> tuple[Memory, Any]:
    return memory.with_cell(sink, key, value=token, stamp=memory.now), True


def _amend(memory: Memory, run: int, sink: SinkName, key: str, write: Write) -> tuple[Memory, Any]:
    if not write.fits(memory.store(sink).at(key)):
        return memory, False
    return memory.with_cell(sink, key, receipt=write.receipt), True


def _rewrite(memory: Memory, run: int, sink: SinkName, key: str, receipt: Receipt) -> tuple[Memory, Any]:
    """The second half of an amend where the last writer wins: a receipt alone, whatever is there by now."""
    return memory.with_cell(sink, key, receipt=receipt), True


def _hook(memory: Memory, run: int) -> tuple[Memory, Any]:
    """A deploy hook: consumers get to know what the sinks hold at this moment."""
    held = {(name, cell.value) for name, store in memory.stores for _, cell in store.cells}
    return replace(memory, deployed=(memory.deployed or frozenset()) | held), True


def _delete(memory: Memory, run: int, sink: SinkName, key: str, token: TokenId) -> tuple[Memory, Any]:
    """All in one; of a file the value goes first, under the lock, if the receipt describes it."""
    store = memory.store(sink)
    cell = store.at(key)
    if cell.receipt is None or cell.receipt.token.id != token:
        return memory, False
    if store.kind == "file":
        value = None if cell.value == token else cell.value
        return memory.with_cell(sink, key, value=value, writer=run), True
    return memory.with_cell(sink, key, value=None, receipt=None, noted=None, stamp=None), True


def _drop_receipt(memory: Memory, run: int, sink: SinkName, key: str) -> tuple[Memory, Any]:
    return memory.with_cell(sink, key, receipt=None, writer=None), True


def version_of(cell: Cell) -> str:
    return "" if cell.value is None and cell.receipt is None else str(cell.version)


STEPS: dict[str, Callable[..., tuple[Memory, Any]]] = {
    "users": _users,
    "tokens": _tokens,
    "token": _tokens,
    "stamp": _stamp,
    "commit": _commit,
    "create": _create,
    "revoke": _revoke,
    "settle": _settle,
    "clock": _clock,
    "inventory": _inventory,
    "read": _read,
    "register": _register,
    "put": _put,
    "write_receipt": _write_receipt,
    "write_value": _write_value,
    "note": _note,
    "set_value": _set_value,
    "stamp_of": _read,
    "amend": _amend,
    "rewrite": _rewrite,
    "hook": _hook,
    "delete": _delete,
    "drop_receipt": _drop_receipt,
}
