"""Who made what, what receipts ever said, and what no step of ours may do; plans' reasons are not asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from boundary import lookup_of
from edits import File
from memory import Cell, Memory, Op, Write
from worlds import SET, US

from reconciler.core.changes import Clean, Create, Renew, Revoke
from reconciler.core.plan import Plan
from reconciler.core.receipts import Place, Receipt, SinkName, Stored
from reconciler.core.spec import TokenSpec
from reconciler.core.tokens import DAY, LiveToken, TokenId

if TYPE_CHECKING:
    from story import Run

GRACE = timedelta(minutes=15)


@dataclass
class Witness:
    """The record that judges every step.

    Attributes:
        named: Every token that a receipt of the set ever named.
        adopted: Every token of somebody else's that the file ever asked to adopt.
    """

    named: set[TokenId] = field(default_factory=set)
    adopted: set[TokenId] = field(default_factory=set)

    def reads(self, file: File, memory: Memory) -> None:
        """The file as a run finds it: it may now take over what the file adopts."""
        for entry in file.entries.values():
            if isinstance(entry.adopt, str):
                self.adopted.add(entry.adopt)
            elif entry.adopt:
                names = (entry.name, entry.live_name)
                same = (t.id for t in memory.listed if t.user == entry.user and t.name in names)
                self.adopted.update(same)

    def hears(self, plan: Plan, file: File, unread: set[Any]) -> None:
        """What could not be read is said, and nothing is done on its account."""
        assert plan.complete is not bool(unread), f"complete, although {unread} was not read"
        sinks = {what for what in unread if isinstance(what, Place) or what in file.sinks}
        for effect in plan.effects:
            match effect:
                case Create() | Renew():
                    spec = effect.spec
                    needs = {spec.user, *spec.places, *(place.sink for place in spec.places)}
                    blind = sinks if isinstance(effect, Create) else set()
                    assert not needs & unread | blind, f"{effect} although {unread} was not read"
                case Revoke() | Clean():
                    assert not sinks, f"{effect} although {unread} was not read"
                    assert effect.token.user not in unread, f"{effect} although unread"

    def judge(self, op: Op, before: Memory, after: Memory, file: File, run: Run) -> None:
        """Raises AssertionError if this step of ours does harm."""
        self._record(op)
        if op.what == "revoke":
            gone = set(before.listed) - set(after.listed)
            for token in gone:
                wrong = self._wrongs(token, before, file, run)
                assert not wrong, f"I3: {token.id} was revoked, {wrong}"
        if op.what == "create":
            strangers = [sink for sink in _sinks_for(op, file) if not before.store(sink).registration]
            assert not strangers, f"a token was made for {strangers}, where nobody knows the set"
        for harm in harms(before, after, file):
            raise AssertionError(harm)

    def _record(self, op: Op) -> None:
        for receipt in filter(None, map(_receipt_in, op.args)):
            for ref in receipt.named:
                ours = ref.id.startswith("t") or ref.id in self.adopted
                assert ours, f"I3: a receipt takes over {ref.id}, which nobody adopted"
                self.named.add(ref.id)

    def _wrongs(self, token: LiveToken, memory: Memory, file: File, run: Run) -> str:
        """Why we may not revoke it."""
        if token.id in run.minted:
            return ""
        if token.id == run.credential:
            return "the credential of the run itself"
        if token.age(memory.now) < GRACE:
            return "younger than the grace"
        current = [receipt for receipt in receipts_in(memory) if receipt.token.id == token.id]
        if any(receipt.set != SET for receipt in current):
            return "which another set holds"
        allowed = run.requests.allow_revoke
        known = {name for entry in file.entries.values() for name in (entry.name, *entry.previously)}
        shielded = [r for r in current if r.protect and r.name not in known]
        if any(not {r.address, r.token.id} & allowed for r in shielded):
            return "which is protected, and its entry is gone"
        absent = {(s.user, n) for s in file.stones.values() for n in (s.name, s.live_name)}
        if token.id in self.named or (token.user, token.name) in absent:
            return ""
        return "" if is_orphan(token, memory, file) else "which no receipt ever named"


def _sinks_for(op: Op, file: File) -> set[SinkName]:
    """Where the secret that this call makes is to go."""
    user, live_name, *_ = op.args[0]
    entries = (e for e in file.entries.values() if (e.user, e.live_name) == (user, live_name))
    return {place.sink for entry in entries for place in entry.places}


def is_orphan(token: LiveToken, memory: Memory, file: File) -> bool:
    """DESIGN §4, (b), word for word, but for the overlap that it waits (see the decisions)."""
    if token.created_by != US or token.last_used is not None:
        return False
    if any(token.id in {ref.id for ref in receipt.named} for receipt in receipts_in(memory)):
        return False
    return any(
        (entry.user, entry.live_name) == (token.user, token.name)
        and all(_was_registered(memory, place.sink, token) for place in entry.places)
        and (token.age(memory.now) >= _patience(entry, token) or not token.works(memory.now))
        for entry in file.entries.values()
    )


def _patience(entry: TokenSpec, token: LiveToken) -> timedelta:
    return max(GRACE, min(entry.overlap_days * DAY, (token.expires_at - token.created_at) / 3))


def _was_registered(memory: Memory, sink: Any, token: LiveToken) -> bool:
    known = memory.store(sink).registration
    return known is not None and known.since <= token.created_at


def receipts_in(memory: Memory) -> Iterator[Receipt]:
    return (
        cell.receipt for _, store in memory.stores for _, cell in store.cells if cell.receipt is not None
    )


def harms(before: Memory, after: Memory, file: File) -> Iterator[str]:
    """I1, I2, I4 and I6, of one step of ours."""
    for place in sorted(file.places()):
        had = before.store(place.sink).at(place.key).value
        has = after.store(place.sink).at(place.key).value
        if has in after.revoked and not (has == had and had in before.revoked):
            yield f"I1: {place} holds {has}, which we revoked"
        if had is not None and before.works(had) and not (has and after.works(has)):
            yield f"I2: a consumer of {place} was let in, and now has {has}"
    for (name, store), (_, old) in zip(after.stores, before.stores, strict=True):
        for key, cell in store.cells if store is not old else ():
            lookup = lookup_of(store.kind, cell)
            if isinstance(lookup, Stored):
                yield from _lies(Place(name, key), cell, lookup.receipt, after.deployed)


def _lies(
    place: Place, cell: Cell, receipt: Receipt, deployed: Collection[tuple[SinkName, TokenId | None]] | None
) -> Iterator[str]:
    """What a receipt says, or does not say, of the value beside it."""
    if receipt.token.id != cell.value:
        yield f"I4: the receipt of {place} vouches for {cell.value}"
    waits = deployed is not None and (place.sink, cell.value) not in deployed
    if waits and receipt.set == SET and not receipt.undeployed:
        yield f"I6: no hook has succeeded for {cell.value} in {place}, and nothing says so"


def _receipt_in(arg: Any) -> Receipt | None:
    match arg:
        case Write(receipt) | (Receipt() as receipt, _) | (Receipt() as receipt):
            return receipt
        case _:
            return None
