"""Sinks for `test_contract_catches.py`: a good one, and many that are wrong in one way each.

Pytest collects this file only where it is named: then there is a suite for each bad sink.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest

from reconciler.core.keys import PATH_KEYS, KeyRule
from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks.conditions import plain
from reconciler.sinks.receipt_text import Found
from reconciler.sinks.records import NOTHING, Changed, Record, RecordSink, Scan
from reconciler.testing import SinkContract

LIMIT = 700


@dataclass
class Shelf:
    """What is in the store, and what troubles it."""

    records: dict[str, tuple[int, str | None, str | None]] = field(default_factory=dict)
    sets: dict[SetName, str] = field(default_factory=dict)
    trouble: str = ""
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Good:
    """A store that does as it should; each of the others does one thing worse."""

    name = "shelf"
    power = Power.CONDITIONAL
    keys: KeyRule = replace(PATH_KEYS, pattern=r"[^\x00-\x1f]+")

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def scan(self, keys: Collection[str]) -> Scan:
        self.look()
        found = {key: self.fetch(key) for key in list(self.shelf.records)}
        ours = {key: each for key, each in found.items() if each.found.receipt or key in keys}
        return Scan(ours, dict(self.shelf.sets))

    def fetch(self, key: str) -> Record:
        self.look()
        held = self.shelf.records.get(key)
        if held is None:
            return NOTHING
        number, receipt, value = held
        return Record(Found(receipt, None if value is None else Secret(value)), str(number))

    def probe(self, key: str) -> None:
        if self.shelf.trouble in ("before", "read only"):
            raise SinkRefused("the shelf takes nothing")

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        if len(receipt) > LIMIT:
            raise SinkRefused("the shelf has no room for that")
        with self.writing():
            self.check(key, stamp)
            self.shelf.count += 1
            value = self.shelf.records[key][2] if secret is None else plain(secret)
            self.shelf.records[key] = (self.shelf.count, receipt, value)

    def save_registration(self, set_name: SetName, text: str) -> None:
        with self.writing():
            self.shelf.sets[set_name] = text

    def erase(self, key: str, stamp: str) -> None:
        with self.writing():
            self.check(key, stamp)
            self.shelf.records.pop(key, None)

    def look(self) -> None:
        if self.shelf.trouble in ("unreadable", "reads hang"):
            raise SinkUnread("the shelf is locked")

    def check(self, key: str, stamp: str) -> None:
        held = self.shelf.records.get(key)
        if stamp != (str(held[0]) if held else ""):
            raise Changed("the shelf changed")

    @contextmanager
    def writing(self) -> Iterator[None]:
        if self.shelf.trouble in ("before", "read only"):
            raise SinkRefused("the shelf takes nothing")
        with self.shelf.lock:
            yield
        if self.shelf.trouble in ("after", "writes hang"):
            raise SinkUnsure("no word from the shelf")


@dataclass
class OnShelf:
    """The store under test; offers all that one can."""

    kind: type[Good]
    shelf: Shelf = field(default_factory=Shelf)

    def sink(self) -> Sink:
        return RecordSink(self.kind(self.shelf))

    def key(self, number: int) -> str:
        return f"Zoë's key no. {number}"

    def bad_keys(self) -> list[str]:
        return ["a\n"]

    def value(self, key: str) -> str | None:
        return self.shelf.records.get(key, (0, None, None))[2]

    def plant(self, key: str, value: str) -> None:
        self.shelf.count += 1
        receipt = self.shelf.records.get(key, (0, None))[1]
        self.shelf.records[key] = (self.shelf.count, receipt, value)

    @contextmanager
    def trouble(self, what: str) -> Iterator[float]:
        self.shelf.trouble = what
        yield 1.0
        self.shelf.trouble = ""

    def failing(self, when: str):
        return self.trouble(when)

    def unreadable(self):
        return self.trouble("unreadable")

    def hanging(self, what: str):
        return self.trouble(f"{what} hang")

    def read_only(self):
        return self.trouble("read only")

    def limit(self) -> int:
        return LIMIT

    def listing(self) -> object:
        return dict(self.shelf.records), dict(self.shelf.sets)


BAD: dict[type[Good], str] = {}


def caught_by(test: str):
    def note(kind: type[Good]) -> type[Good]:
        BAD[kind] = test
        return kind

    return note


FAILS = "test_a_write_that_fails_says_how_far_it_came"
RACE = "test_of_two_writers_of_one_version_at_most_one_is_stored"


@caught_by(f"{FAILS}[amend-after]")
class AmendRefusedAfter(Good):
    def save(self, key, receipt, secret, stamp):
        try:
            super().save(key, receipt, secret, stamp)
        except SinkUnsure:
            raise SinkRefused("no") if secret is None else SinkUnsure("?") from None


@caught_by(f"{FAILS}[register-before]")
class RegisterSaysNothing(Good):
    def save_registration(self, set_name, text):
        with suppress(SinkRefused):
            super().save_registration(set_name, text)


@caught_by(f"{FAILS}[delete-before]")
class DeleteSaysNothing(Good):
    def erase(self, key, stamp):
        with suppress(SinkRefused):
            super().erase(key, stamp)


@caught_by(f"{FAILS}[put-silence]")
class RefusedInSilence(Good):
    def save(self, key, receipt, secret, stamp):
        try:
            super().save(key, receipt, secret, stamp)
        except SinkUnsure:
            raise SinkRefused("it took too long") from None


@caught_by(f"{FAILS}[put-silence]")
class WaitsForEver(Good):
    def save(self, key, receipt, secret, stamp):
        try:
            super().save(key, receipt, secret, stamp)
        finally:
            time.sleep(1.1 if self.shelf.trouble == "writes hang" else 0)


@caught_by("test_a_read_without_an_answer_ends_as_unread")
class SilenceIsEmpty(Good):
    def fetch(self, key):
        return NOTHING if self.shelf.trouble == "reads hang" else super().fetch(key)


@caught_by("test_unreadable_is_not_empty")
class UnreadOnlyIfAsked(Good):
    def scan(self, keys):
        try:
            return super().scan(keys)
        except SinkUnread:
            return Scan({key: Unread("?") for key in keys}, {})


@caught_by("test_a_bulk_read_has_more_than_a_page")
class FirstPage(Good):
    def scan(self, keys):
        whole = super().scan(keys)
        return Scan(dict(list(whole.records.items())[:20]), whole.registrations)


@caught_by("test_a_preflight_leaves_nothing_behind")
class LeavesAProbe(Good):
    def probe(self, key):
        super().probe(key)
        self.shelf.records["canary"] = (0, None, "canary")


@caught_by("test_a_preflight_leaves_nothing_behind")
class LeavesARegistration(Good):
    def probe(self, key):
        super().probe(key)
        self.shelf.sets[SetName("probe")] = "{}"


@caught_by("test_a_preflight_can_fail")
class ProvesNothing(Good):
    def probe(self, key):
        pass


@caught_by("test_a_preflight_refuses_where_a_write_is_not_allowed")
class ProvesOnlyTheWay(Good):
    def probe(self, key):
        if self.shelf.trouble == "before":
            raise SinkRefused("out of reach")


@caught_by("test_a_key_that_does_not_fit_is_refused")
class TakesAnyKey(Good):
    keys = replace(PATH_KEYS, pattern=r"(?s).*")


@caught_by("test_keys_in_another_case_are_other_places")
class FoldsCase(Good):
    def fetch(self, key):
        return super().fetch(key.lower())

    def save(self, key, receipt, secret, stamp):
        super().save(key.lower(), receipt, secret, stamp)


@caught_by("test_what_just_fits_is_kept_and_a_byte_more_is_refused")
class CutsOff(Good):
    def save(self, key, receipt, secret, stamp):
        super().save(key, receipt[:LIMIT], secret, stamp)


@caught_by("test_a_reader_beside_a_writer_sees_no_half")
class ValueFirst(Good):
    def save(self, key, receipt, secret, stamp):
        if secret is not None and key in self.shelf.records:
            number, old, _ = self.shelf.records[key]
            self.shelf.records[key] = (number, old, plain(secret))
            _ = [key.lower() for _ in range(40)]  # a while between the two
        super().save(key, receipt, secret, stamp)


@caught_by(f"{RACE}[put]")
class LastWriterWins(Good):
    def check(self, key, stamp):
        pass


@caught_by(f"{RACE}[amend]")
class AmendsAnything(Good):
    def save(self, key, receipt, secret, stamp):
        held = self.shelf.records.get(key)
        super().save(key, receipt, secret, str(held[0]) if secret is None and held else stamp)


@caught_by(f"{RACE}[delete]")
class ErasesAnything(Good):
    def erase(self, key, stamp):
        held = self.shelf.records.get(key)
        super().erase(key, str(held[0]) if held else "")


@caught_by(f"{RACE}[put]")
class DiesOfAConflict(Good):
    def check(self, key, stamp):
        try:
            super().check(key, stamp)
        except Changed:
            raise ConnectionError("reset") from None


def says(name, way):
    """A class that lets the secret out on success, by this way."""

    @caught_by("test_a_consumer_reads_what_was_put")
    class Tells(Good):
        def save(self, key, receipt, secret, stamp):
            super().save(key, receipt, secret, stamp)
            if secret is not None:
                way(self, plain(secret))

    Tells.__name__ = f"TellsBy{name}"


log = logging.getLogger("shelf")
says("Stdout", lambda _, text: os.write(1, text.encode()))
says("Stderr", lambda _, text: os.write(2, text.encode()))
says("Log", lambda _, text: log.debug("stored %s", text))
says("Base64", lambda _, text: log.debug("x%s", base64.b64encode(f"a:{text}".encode()).decode()))
says("Hex", lambda _, text: log.debug("stored", extra={"body": text.encode().hex()}))
says("Exception", lambda _, text: log.error("shelf", exc_info=ValueError(text)))


@caught_by("test_a_consumer_reads_what_was_put")
class TellsByRepr(Good):
    last = ""

    def save(self, key, receipt, secret, stamp):
        super().save(key, receipt, secret, stamp)
        self.last = "" if secret is None else plain(secret)

    def __repr__(self):
        return f"Shelf({self.last})"


@caught_by(f"{RACE}[put]")
class TellsOfAConflict(Good):
    def save(self, key, receipt, secret, stamp):
        try:
            super().save(key, receipt, secret, stamp)
        except Changed:
            text = plain(secret) if secret is not None else ""
            raise Changed("the shelf changed", hint=f"put {text} there") from None


@caught_by("test_unreadable_is_not_empty")
class TellsWhatWasThere(Good):
    def look(self):
        try:
            super().look()
        except SinkUnread as error:
            error.held = json.dumps(list(self.shelf.records.values()))
            raise




def suite(kind: type[Good]) -> type[SinkContract]:
    return type(f"Test{kind.__name__}", (SinkContract,), {"store": pytest.fixture(lambda _: OnShelf(kind))})


globals().update({f"Test{kind.__name__}": suite(kind) for kind in BAD})
