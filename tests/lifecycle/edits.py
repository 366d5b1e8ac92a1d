"""A token file, and how people edit it: whatever they do, the loader would take the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from boundary import BOT2
from worlds import BOT, SET, US

from reconciler.core.receipts import Place, SinkName
from reconciler.core.spec import (
    ExpiresIn,
    ExpiresOn,
    Limits,
    Location,
    Retire,
    Schedule,
    TokenSet,
    TokenSpec,
    Tombstone,
)
from reconciler.core.tokens import DAY, LiveToken, TokenId, UserId

USERS = (BOT, BOT2, US)
NAMES = ("a", "b", "c", "d")
KEYS = tuple("abcdefghij")
LIFETIMES = (90, 30, 365)
WHERE = Location("tokens.yaml", 5, 3)


@dataclass
class File:
    """What is wanted now.

    Attributes:
        sinks: All that the config has.
        live_name: How the config decorates names.
    """

    sinks: tuple[SinkName, ...]
    live_name: str = "{name}"
    entries: dict[str, TokenSpec] = field(default_factory=dict)
    stones: dict[str, Tombstone] = field(default_factory=dict)
    max_renewals: int | None = None
    limits: Limits = field(default_factory=Limits)

    def wanted(self) -> TokenSet:
        schedule = Schedule(max_renewals=self.max_renewals)
        return TokenSet(
            SET, tuple(self.entries.values()), tuple(self.stones.values()),
            limits=self.limits, schedule=schedule,
        )  # fmt: skip

    def places(self) -> set[Place]:
        return {place for entry in self.entries.values() for place in entry.places}

    def change(self, name: str, **facts: object) -> None:
        self.entries[name] = replace(self.entries[name], **facts)  # type: ignore[arg-type]

    def tidy(self) -> None:
        """An earlier name is nobody else's, and no token is adopted twice."""
        taken = {*self.entries, *self.stones}
        adopted: set[object] = set()
        for name, entry in self.entries.items():
            free = tuple(n for n in entry.previously if n not in taken)
            taken.update(free)
            adopt = entry.adopt
            if isinstance(adopt, str) and adopt in adopted:
                adopt = False
            adopted.add(adopt)
            self.entries[name] = replace(entry, previously=free, adopt=adopt)

    def free_places(self, name: str, pick: int) -> tuple[Place, ...]:
        """One to three places, each in another sink or under another key, that nobody else asks for."""
        others = {p for n, entry in self.entries.items() if n != name for p in entry.places}
        free = [Place(sink, key) for sink in self.sinks for key in (name, *KEYS)]
        free = [place for place in dict.fromkeys(free) if place not in others]
        count = 1 + pick % 3
        return tuple(free[(pick // 3 % 4 + at * (len(KEYS) - pick % 2)) % len(free)] for at in range(count))


@dataclass(frozen=True)
class Edit:
    """One commit. What it means follows from the file that it meets; `pick` chooses among the ways.

    Attributes:
        what: The name of a function below; an edit of an entry that is not there adds it.
    """

    what: str
    name: str
    pick: int = 0

    def of(self, file: File, now: datetime, live: Iterable[LiveToken]) -> None:
        if self.what == "schedule":
            file.max_renewals = (1, None)[self.pick % 2]
        elif self.what == "limits":
            file.limits = (Limits(), Limits(100, 100))[self.pick % 2]
        elif self.name not in file.entries:
            _add(file, self.name, self.pick)
        elif self.what == "add":
            return
        elif self.what == "adopt":
            _adopt(file, self.name, self.pick, live)
        elif self.what == "expires_on":
            file.change(self.name, lifetime=ExpiresOn((now + (self.pick % 90) * DAY).date()))
        else:
            EDITS[self.what](file, self.name, self.pick)
        file.tidy()


def _add(file: File, name: str, pick: int) -> None:
    file.stones.pop(name, None)
    places = tuple(dict.fromkeys(file.free_places(name, pick)))
    file.entries[name] = TokenSpec(
        SET, name, _user(pick), file.live_name.format(name=name), ExpiresIn(90), places, WHERE,
        adopt=pick % 5 == 4,
    )  # fmt: skip


def _user(pick: int) -> UserId:
    return USERS[pick % len(USERS)]


def _adopt(file: File, name: str, pick: int, live: Iterable[LiveToken]) -> None:
    user = file.entries[name].user
    ids = [token.id for token in live if token.user == user and token.id.startswith("h")]
    choices: list[TokenId | bool] = [True, False, *ids]
    file.change(name, adopt=choices[pick % len(choices)])


def _remove(file: File, name: str, pick: int) -> None:
    del file.entries[name]


def _absent(file: File, name: str, pick: int) -> None:
    entry = file.entries.pop(name)
    file.stones[name] = Tombstone(SET, name, entry.user, entry.live_name, "not wanted", WHERE)


def _rename(file: File, name: str, pick: int) -> None:
    """With `previously`, or, now and then, without."""
    free = [n for n in NAMES if n not in file.entries and n not in file.stones]
    if free:
        other = free[pick % len(free)]
        entry = file.entries.pop(name)
        before = tuple(n for n in (name, *entry.previously) if n != other) if pick % 4 else ()
        live_name = file.live_name.format(name=other)
        file.entries[other] = replace(entry, name=other, live_name=live_name, previously=before)


def _clear(file: File, name: str, pick: int) -> None:
    """Everything else goes at once."""
    file.entries = {name: file.entries[name]}


def _swap(file: File, name: str, pick: int) -> None:
    """Each gets the other's places."""
    other = NAMES[pick % len(NAMES)]
    if other in file.entries:
        mine, theirs = file.entries[name].places, file.entries[other].places
        file.change(name, places=theirs)
        file.change(other, places=mine)


def _inherit(file: File, name: str, pick: int) -> None:
    """Another entry goes, and this one moves into one of its places."""
    other = NAMES[pick % len(NAMES)]
    if other in file.entries and other != name:
        left = file.entries.pop(other).places
        file.change(name, places=left[: 1 + pick // len(NAMES) % 2])


def _places(file: File, name: str, pick: int) -> None:
    file.change(name, places=tuple(dict.fromkeys(file.free_places(name, pick))))


def _one_more(file: File, name: str, pick: int) -> None:
    had = file.entries[name].places
    more = file.free_places(name, pick)[:1] if len(had) < 3 else ()
    file.change(name, places=tuple(dict.fromkeys((*had, *more))))


def _one_less(file: File, name: str, pick: int) -> None:
    had = list(file.entries[name].places)
    if len(had) > 1:
        del had[pick % len(had)]
    file.change(name, places=tuple(had))


def _rotate(file: File, name: str, pick: int) -> None:
    """One entry, or all of them."""
    for each in tuple(file.entries) if pick % 2 else (name,):
        file.change(each, rotation=file.entries[each].rotation + 1)


def _protect(file: File, name: str, pick: int) -> None:
    file.change(name, protect=not file.entries[name].protect)


def _renew(file: File, name: str, pick: int) -> None:
    file.change(name, renew=not file.entries[name].renew)


EDITS: dict[str, Callable[[File, str, int], None]] = {
    "remove": _remove,
    "absent": _absent,
    "rename": _rename,
    "swap": _swap,
    "inherit": _inherit,
    "places": _places,
    "one more": _one_more,
    "one less": _one_less,
    "rotate": _rotate,
    "protect": _protect,
    "renew": _renew,
    "clear": _clear,
    "user": lambda file, name, pick: file.change(name, user=_user(pick)),
    "lifetime": lambda file, name, pick: file.change(name, lifetime=ExpiresIn(LIFETIMES[pick % 3])),
    "retire": lambda file, name, pick: file.change(name, retire=tuple(Retire)[pick % 3]),
    "overlap": lambda file, name, pick: file.change(name, overlap_days=(0, 1, 7)[pick % 3]),
}
KINDS = (*EDITS, "adopt", "expires_on", "schedule", "limits")
