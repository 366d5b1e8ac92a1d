"""What befalls a history between two runs: one dataclass each, small numbers inside, so that they shrink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from edits import USERS, Edit
from memory import EMPTY, Cell, secret_of
from story import ADMIN, OTHER, Command, Story, Trouble
from worlds import US

from reconciler.core.receipts import Place, Receipt, TokenRef
from reconciler.core.tokens import DAY, LiveToken, TokenId

WAITS = tuple(timedelta(minutes=m) for m in (1, 16, 60)) + tuple(n * DAY for n in (1, 8, 31, 62, 100))


APPLY = Command("apply")


@dataclass(frozen=True)
class Runs:
    """Our run, and what befalls it."""

    troubles: tuple[Trouble, ...] = ()
    command: Command = APPLY

    def happens(self, story: Story) -> None:
        story.run(self.troubles, self.command)


@dataclass(frozen=True)
class Commits:
    """The file is edited, several edits at once."""

    edits: tuple[Edit, ...]

    def happens(self, story: Story) -> None:
        for edit in self.edits:
            edit.of(story.file, story.memory.now, story.memory.listed)
        _collect(story)


@dataclass(frozen=True)
class Passes:
    """Time; consumers read their places halfway through, or do not."""

    wait: int
    reads: bool = True

    def happens(self, story: Story) -> None:
        half = WAITS[self.wait] / 2
        story.pass_time(half)
        for place in story.file.places() if self.reads else ():
            story.use(story.value(place))
        story.pass_time(half)


@dataclass(frozen=True)
class Somebody:
    """Somebody else, and what he does: the name of a function below."""

    does: str
    name: str
    pick: int = 0

    def happens(self, story: Story) -> None:
        DEEDS[self.does](story, self.name, self.pick)
        _collect(story)


Event = Runs | Commits | Passes | Somebody


def _collect(story: Story) -> None:
    """Whoever put a secret into a place by hand takes it out when no entry there adopts it."""
    for entry in story.file.entries.values():
        for place in entry.places:
            cell = story.cell(place)
            by_hand = cell.receipt is None and cell.value is not None and cell.value[0] == "h"
            if by_hand and entry.adopt not in (True, cell.value):
                story.place(place, EMPTY)


def _make(story: Story, name: str, pick: int) -> None:
    """Of an entry's user and name or not, by our principal or not, used at once or not."""
    entry = story.file.entries.get(name)
    user = entry.user if entry and pick % 2 else USERS[pick // 2 % 3]
    name = ("else", name, story.file.live_name.format(name=name))[pick // 2 % 3]
    made = story.make(user, name, (ADMIN, US)[pick // 6 % 2])
    if pick // 12 % 2:
        story.use(made.id)


def _delete(story: Story, name: str, pick: int) -> None:
    """A token of ours, or one that may be adopted."""
    there = [token.id for token in story.memory.listed if token.id != "boot"]
    if there:
        story.drop(there[-1 - pick % len(there)])


def _use(story: Story, name: str, pick: int) -> None:
    """A young token or an old one that is still in somebody's memory."""
    listed = story.memory.listed
    story.use(listed[-1 - pick % len(listed)].id)


def _lose(story: Story, name: str, pick: int) -> None:
    """A sink loses what it held."""
    if place := _place(story, name, pick):
        story.place(place, EMPTY)


def _overwrite(story: Story, name: str, pick: int) -> None:
    """A foreign value; the receipt stays beside it, or goes."""
    if place := _place(story, name, pick // 2):
        receipt = story.cell(place).receipt if pick % 2 else None
        story.place(place, Cell(TokenId("foreign"), receipt))


def _hand_in(story: Story, name: str, pick: int) -> None:
    """The secret of a hand-made token, at the place of the entry that adopts it."""
    place, entry = _place(story, name, pick), story.file.entries.get(name)
    if place is None or entry is None or story.cell(place).value is not None:
        return
    made = story.make(entry.user, entry.live_name, ADMIN)
    story.place(place, Cell(made.id))
    story.file.change(name, adopt=made.id if pick % 2 else True)


def _occupy(story: Story, name: str, pick: int) -> None:
    """Another set writes a receipt: at our place, or for a token that was ours."""
    at_ours = _place(story, name, pick)
    sink = story.file.sinks[pick % len(story.file.sinks)]
    place = at_ours if at_ours and pick // 3 % 2 else Place(sink, "theirs")
    ours = [token for token in story.memory.listed if token.id[0] == "t"]
    chosen = ours[pick % len(ours)] if ours and pick // 6 % 2 else story.make(USERS[pick % 3], "x", ADMIN)
    story.place(place, stored(chosen))


def stored(token: LiveToken) -> Cell:
    """What another set's run leaves, in a sink of any kind."""
    ref = TokenRef(token.user, token.id)
    mark = secret_of(token.id).fingerprint()
    receipt = Receipt(ref, OTHER, "x", token.created_at, token.expires_at, mark)
    return Cell(token.id, receipt)


def _vacate(story: Story, name: str, pick: int) -> None:
    """What others put into our places is taken out again."""
    for place in story.file.places():
        receipt = story.cell(place).receipt
        if story.value(place) is not None and (receipt is None or receipt.set == OTHER):
            story.place(place, EMPTY)


def _deny(story: Story, name: str, pick: int) -> None:
    """Our role changes: it no longer reaches a user, or does again."""
    story.denied ^= {USERS[pick % 3]}


def _switch(story: Story, name: str, pick: int) -> None:
    """Our pipeline takes its credential from a place of ours from now on; if there is none, we get one."""
    if name in story.file.entries:
        story.file.change(name, user=US)
        story.pipeline = story.file.entries[name].places[0]


def _place(story: Story, name: str, pick: int) -> Place | None:
    entry = story.file.entries.get(name)
    return entry.places[pick % len(entry.places)] if entry else None


DEEDS: dict[str, Callable[[Story, str, int], None]] = {
    "makes": _make,
    "deletes": _delete,
    "uses": _use,
    "loses": _lose,
    "overwrites": _overwrite,
    "hands in": _hand_in,
    "occupies": _occupy,
    "vacates": _vacate,
    "denies": _deny,
    "switches": _switch,
}
