"""One authenticated request, as the handlers see it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TypeAlias, TypeVar

from reconciler.emulator import wire
from reconciler.emulator.mint import Draw
from reconciler.emulator.refusals import NOT_JSON, Panic, Refusal
from reconciler.emulator.store import Event, Person, Store

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Site:
    """The server that is being visited: its memory, its time zone, its dice."""

    store: Store
    zone: tzinfo
    seed: int
    chance: random.Random

    def draw(self) -> Draw:
        """Fresh ids; call inside a transaction."""
        return Draw(self.seed, self.store.next_serial())


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks for what, and when.

    Attributes:
        now: Nanoseconds since 1970, one instant for the whole request.
        params: The parts of the path that stand for ids.
    """

    site: Site
    caller: Person
    now: int
    params: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes

    @property
    def store(self) -> Store:
        return self.site.store

    def parse(self, read: Callable[[wire.Fields], Parsed]) -> Parsed:
        """What `read` makes of the body's fields, none for `null`. Raises Refusal 400."""
        try:
            return read(wire.decode(self.body) or {})
        except (ValueError, TypeError):
            raise Refusal(400, NOT_JSON) from None

    def parse_or_panic(self, read: Callable[[wire.Fields], Parsed]) -> Parsed:
        """Like `parse`, but a body `null` crashes the handler (netbird-api.md §8, row 42)."""
        if self.body.lstrip().startswith(b"null"):
            raise Panic
        return self.parse(read)

    def log(self, code: str, target: Person, meta: dict[str, str]) -> None:
        """Add to the audit log; here at once, in the real server a moment later."""
        caller = self.caller
        event = Event(0, caller.account, self.now, code, caller.id, target.id, meta)
        self.store.add_event(event)


Handler: TypeAlias = Callable[[Visit], wire.Json]
