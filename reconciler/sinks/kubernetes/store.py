"""What is decided before Secrets are written: whether a place is unchanged, and what leaves with a key.

A resourceVersion tells of a whole Secret, a key is one place in it. So the place is compared with what the
plan saw, and the write names the resourceVersion of that look; where only something else changed, we look
again.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power
from reconciler.core.receipts import SetName, version_of
from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, SinkUnsure
from reconciler.sinks.conditions import nothing_written, plain
from reconciler.sinks.kubernetes.places import REGISTRATION, Spot
from reconciler.sinks.kubernetes.reader import Held, SecretReader, found_at
from reconciler.sinks.kubernetes.writer import MADE, REHEARSAL, Part, SecretWriter
from reconciler.sinks.records import Changed, Record, Scan

_SAMPLE: Final = ("x" * 40, "x" * 2048)
"""A value and a receipt of about the size of real ones."""
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""No object has this uid, so a removal on condition of it is refused."""
_TRIES: Final = 10
_PATIENCE: Final = 90.0
"""Seconds after which no write is begun; with one look before and one request after, below five minutes."""


class Turns:
    """One writer at a time for each Secret of this run: else they would make each other look again."""

    def __init__(self) -> None:
        self._one_at_a_time = Lock()
        self._locks: dict[str, Lock] = {}

    def of(self, secret: str) -> Lock:
        with self._one_at_a_time:
            return self._locks.setdefault(secret, Lock())


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Secrets of one namespace."""

    name: str
    reader: SecretReader
    writer: SecretWriter
    turns: Turns = field(default_factory=Turns)

    @property
    def power(self) -> Power:
        return Power.CONDITIONAL

    @property
    def keys(self) -> KeyRule:
        return self.reader.layout.keys

    def scan(self, keys: Collection[str]) -> Scan:
        return self.reader.scan(keys)

    def fetch(self, key: str) -> Record:
        spot = self.reader.layout.spot(key)
        return _record(self.reader.held(spot.secret), spot)

    def probe(self, key: str) -> None:
        """Rehearse what `save` and `erase` send: rights, admission, size, all but the storing."""
        spot = self.reader.layout.spot(key)
        value, receipt = _SAMPLE
        part = Part(spot.field, {spot.annotation: receipt}, {spot.field: _encoded(value)})
        try:
            held = self._held(spot.secret)
            if held is None:
                self.writer.make(spot.secret, REHEARSAL)
            elif held.immutable:
                raise SinkRefused(
                    f"{self.name}: the Secret {held.name} is immutable, nothing new fits into it",
                    hint="remove it, or make it anew without `immutable: true`",
                )
            self.writer.apply(spot.secret, held, part, REHEARSAL)
            if self._is_removed_whole(held):
                self.writer.remove(
                    spot.secret, {"dryRun": ["All"], "preconditions": {"uid": _NOBODY}}
                )
        except SinkUnsure as error:
            raise SinkRefused(error.message, hint=error.hint) from None

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        spot = self.reader.layout.spot(key)
        new = None if secret is None else _encoded(plain(secret))

        def write(held: Held) -> bool:
            value = held.data.get(spot.field) if new is None else new
            data = {} if value is None else {spot.field: value}
            part = Part(spot.field, {spot.annotation: receipt}, data)
            return self.writer.apply(held.name, held, part)

        self._settle(spot, stamp, write, makes=True)

    def save_registration(self, set_name: SetName, text: str) -> None:
        spot = Spot(self.reader.layout.home, f"registration.{set_name}")
        part = Part(spot.field, {f"{REGISTRATION}{set_name}": text})
        self._settle(spot, None, lambda held: self.writer.apply(held.name, held, part), makes=True)

    def erase(self, key: str, stamp: str) -> None:
        spot = self.reader.layout.spot(key)
        self._settle(spot, stamp, lambda held: self._erased(held, spot), makes=False)

    def _settle(
        self, spot: Spot, stamp: str | None, write: Callable[[Held], bool], *, makes: bool
    ) -> None:
        """Look and write, until nothing changed in between.

        Args:
            spot: One place.
            stamp: What it must hold; None: whatever it holds.
            write: Whether the Secret was still what was looked at.
            makes: Whether a Secret that is not there is made; else there is nothing to do.
        """
        until = time.monotonic() + _PATIENCE
        with self._turn(spot, until):
            for _ in range(_TRIES):
                held = self._held(spot.secret)
                if stamp is not None and _record(held, spot).stamp != stamp:
                    raise self._changed(spot)
                if time.monotonic() > until:
                    raise self._slow(spot)
                if held is not None and write(held):
                    return
                if held is None:
                    if not makes:
                        return
                    self.writer.make(spot.secret)
        raise self._changed(spot)

    @contextmanager
    def _turn(self, spot: Spot, until: float) -> Iterator[None]:
        lock = self.turns.of(spot.secret)
        if not lock.acquire(timeout=max(until - time.monotonic(), 0)):
            raise self._slow(spot)
        try:
            yield
        finally:
            lock.release()

    def _erased(self, held: Held, spot: Spot) -> bool:
        """Take one place out of a Secret, or the Secret away that holds nothing else."""
        others = {each for each in held.fields if each != spot.field}
        if self._is_removed_whole(held) and not others | held.data.keys() - {spot.field}:
            return self.writer.remove(
                held.name, {"preconditions": {"resourceVersion": held.version}}
            )
        last = not others and held.name != self.reader.layout.home
        return self.writer.take_out(held, spot.annotation, spot.field, label=last)

    def _is_removed_whole(self, held: Held | None) -> bool:
        """Whether the Secret goes with its last key; one that others made stays, empty."""
        is_own = self.reader.layout.shared is None
        return is_own and (held is None or MADE.items() <= held.labels.items())

    def _held(self, name: str) -> Held | None:
        """What is there now. Nothing was written yet, so a failed look is a refusal."""
        with nothing_written():
            return self.reader.held(name)

    def _slow(self, spot: Spot) -> SinkRefused:
        text = f"{self.name} was not written: the Secret {spot.secret} took too long to look at"
        return SinkRefused(text, hint="run the same command again")

    def _changed(self, spot: Spot) -> Changed:
        place = f"{self.name}:{self.reader.layout.key(spot)}"
        return Changed(f"{place} changed meanwhile", hint="plan again")


def _record(held: Held | None, spot: Spot) -> Record:
    """Its stamp tells of the place alone: a resourceVersion moves with every other key, too."""
    found = found_at(held, spot)
    return Record(found, version_of(found.judged()))


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
