"""A sink over a store that holds one record per key: what most secret stores are.

The store moves records and says what changed; here is what every sink must ask before it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power
from reconciler.core.receipts import (
    Absent,
    Damaged,
    Inventory,
    Lookup,
    Receipt,
    Registration,
    SetName,
    Stored,
    Version,
    receipt_of,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, Unread
from reconciler.errors import SinkError, SinkRefused, SinkUnread
from reconciler.sinks.conditions import (
    check_amend,
    check_key,
    check_put,
    check_set,
    nothing_written,
    plain,
)
from reconciler.sinks.receipt_text import (
    Found,
    Garbled,
    receipt_to_json,
    registration_from_text,
    registration_to_json,
    to_text,
)

_SHOWN: Final = 5


class Changed(SinkRefused):
    """A conditional write did not find what it expected: nothing was written."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a store holds at one key.

    Attributes:
        stamp: The store's own word for this state, by which a conditional write knows it again; empty
            where the store has no such word, or holds nothing.
    """

    found: Found = field(default_factory=Found)
    stamp: str = ""


NOTHING: Final = Record()


@dataclass(frozen=True, slots=True)
class Scan:
    """All records of one store, its registrations as they are written, by set, and remarks for people."""

    records: Mapping[str, Record | Unread]
    registrations: Mapping[SetName, str]
    remarks: tuple[str, ...] = ()


class Store(Protocol):
    """What an adapter does. Writers raise SinkRefused, Changed or SinkUnsure; readers SinkUnread."""

    @property
    def name(self) -> str:
        """What to call the store in messages, such as `vault secret/netbird`."""
        ...

    @property
    def power(self) -> Power: ...

    @property
    def keys(self) -> KeyRule: ...

    def scan(self, keys: Collection[str]) -> Scan:
        """Every record with a receipt, and whatever is at `keys`, in one bulk read."""
        ...

    def fetch(self, key: str) -> Record:
        """What is at one key; `NOTHING` if the store says that nothing is."""
        ...

    def probe(self, key: str) -> None:
        """Prove that `save` would be allowed, and leave nothing behind. Raises SinkRefused."""
        ...

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        """Write receipt and secret in one step; without a secret, keep the one that is there.

        A conditional store raises Changed unless the record still has this stamp. A store of two steps
        writes the receipt first. `conditions.plain` reveals the secret at the write itself.
        """
        ...

    def save_registration(self, set_name: SetName, text: str) -> None:
        """Write a registration over any other of its set."""
        ...

    def erase(self, key: str, stamp: str) -> None:
        """Remove secret and receipt; a conditional store raises Changed as `save` does."""
        ...


@dataclass(frozen=True, slots=True)
class RecordSink:
    """A sink of one store."""

    store: Store

    @property
    def power(self) -> Power:
        return self.store.power

    def inventory(self, keys: Collection[str]) -> Inventory:
        scan = self.store.scan(keys)
        entries: dict[str, Stored | Damaged | Unread] = {}
        for key, record in scan.records.items():
            lookup = record if isinstance(record, Unread) else _judged(record)
            if not isinstance(lookup, Absent):
                entries[key] = lookup
        return Inventory(entries, dict(_registrations(scan)), scan.remarks)

    def read(self, key: str) -> Lookup:
        return _judged(self.store.fetch(key))

    def preflight(self, key: str) -> None:
        check_key(self.store.keys, key)
        self.store.probe(key)

    def register(self, registration: Registration) -> None:
        check_set(registration.set)
        text = to_text(registration_to_json(registration))
        self.store.save_registration(registration.set, text)

    def put(self, key: str, secret: Secret, receipt: Receipt, expect: Version) -> None:
        check_key(self.store.keys, key)
        plain(secret)  # refuses before anything is written
        held = self._held(key)
        check_put(self._place(key), _judged(held), receipt, expect)
        text = to_text(receipt_to_json(receipt))
        try:
            self.store.save(key, text, secret, held.stamp)
        except Changed:
            if not self._has(key, receipt):  # else an earlier try of ours came through
                raise

    def amend(self, key: str, receipt: Receipt, expect: Version) -> None:
        held = self._held(key)
        check_amend(self._place(key), _judged(held), receipt, expect)
        self.store.save(key, to_text(receipt_to_json(receipt)), None, held.stamp)

    def delete(self, key: str, token: TokenId) -> bool:
        """A value that the receipt does not describe stays: it is not ours to destroy."""
        held = self._held(key)
        lookup = _judged(held)
        receipt = receipt_of(lookup)
        if receipt is None or receipt.token.id != token:
            return False
        if isinstance(lookup, Damaged) and held.found.has_value:
            return False
        self.store.erase(key, held.stamp)
        return True

    def _held(self, key: str) -> Record:
        """What is there now. Nothing was written yet, so a failed look is a refusal."""
        with nothing_written():
            return self.store.fetch(key)

    def _has(self, key: str, receipt: Receipt) -> bool:
        try:
            lookup = self.read(key)
        except SinkError:
            return False
        return isinstance(lookup, Stored) and lookup.receipt == receipt

    def _place(self, key: str) -> str:
        return f"{self.store.name}:{key}"


def listed(keys: Collection[str]) -> str:
    """Keys within a sentence; of many, the first and how many more."""
    shown = ", ".join(sorted(keys)[:_SHOWN])
    return f"{shown} and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else shown


def _judged(record: Record) -> Stored | Damaged | Absent:
    lookup = record.found.judged()
    if isinstance(lookup, Absent) or not record.stamp:
        return lookup
    return replace(lookup, version=Version(record.stamp))


def _registrations(scan: Scan) -> dict[SetName, Registration]:
    found = {}
    for set_name, text in scan.registrations.items():
        try:
            found[set_name] = registration_from_text(text)
        except Garbled as error:
            raise SinkUnread(str(error), hint="mend it by hand") from None
        if found[set_name].set != set_name:
            why = f"the registration of {set_name} is one of {found[set_name].set}"
            raise SinkUnread(why, hint="remove the copy by hand")
    return found
