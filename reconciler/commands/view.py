"""What a plan is made from: the account or a snapshot of it, the files as they are and as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.api.endpoint import server_of
from reconciler.commands.desk import Desk
from reconciler.commands.progress import waiting
from reconciler.commands.snapshot import read
from reconciler.core.aim import aimed
from reconciler.core.comparison import Base, Lack, Lacking
from reconciler.core.planner import make_plan
from reconciler.core.spec import TokenSet
from reconciler.core.tokens import Unread
from reconciler.core.world import World
from reconciler.errors import InputError
from reconciler.gather import Beyond
from reconciler.reports.ages import aged
from reconciler.reports.escape import terminal
from reconciler.source.build import load_set
from reconciler.source.git import checked_out
from reconciler.wiring import TOKEN_FILES, Parts


@dataclass(frozen=True, slots=True)
class View:
    """A world to plan in, and what would be done in it without the change that is judged."""

    world: World
    base: Base | None = None


def view(parts: Parts, desk: Desk, snapshot: Path | None = None, ref: str | None = None) -> View:
    """Look once, for the files as they are and, with `ref`, as they are in that commit.

    Raises:
        UsageError: The snapshot or the commit cannot be read.
        ApiError: The account cannot be looked at.
    """
    before = _Before.of(ref, parts) if ref is not None else None
    wide = _offline(parts, desk, snapshot) if snapshot else _live(parts, desk, before)
    if before is None and snapshot is None:
        return View(wide)
    world = aimed(wide, parts.loaded.token_set)
    return View(world, before.planned(wide) if before else None)


@dataclass(frozen=True, slots=True)
class _Before:
    """The files in a commit: a set that can be planned with, or why there is none."""

    ref: str
    commit: str
    wanted: TokenSet | Lacking

    @classmethod
    def of(cls, ref: str, parts: Parts) -> _Before:
        beside = [parts.files[0].parent / name for name in TOKEN_FILES]
        with checked_out(ref, parts.files, beside) as found:
            wanted = _wanted(found.paths, parts)
            if found.elsewhere and isinstance(wanted, Lacking):
                wanted = _absent(parts)  # what lies beside it is another set's
            return cls(ref, found.commit, wanted)

    @property
    def sets(self) -> TokenSet | None:
        return self.wanted if isinstance(self.wanted, TokenSet) else None

    def planned(self, wide: World) -> Base:
        wanted = self.wanted
        plan = wanted if isinstance(wanted, Lacking) else make_plan(aimed(wide, wanted))
        return Base(self.ref, self.commit, plan)


def _wanted(paths: tuple[Path, ...], parts: Parts) -> TokenSet | Lacking:
    if not paths:
        return _absent(parts)
    try:
        found = load_set(paths, parts.config, parts.keys, parts.now().date()).token_set
    except InputError:
        return Lacking(Lack.INVALID, "its token files are not valid")
    if found.name != parts.loaded.token_set.name:
        return Lacking(Lack.OTHER_SET, f"its set is named {found.name!r}")
    return found


def _absent(parts: Parts) -> Lacking:
    return Lacking(Lack.ABSENT, f"it has nothing at {', '.join(map(str, parts.files))}")


def _live(parts: Parts, desk: Desk, before: _Before | None) -> World:
    with parts.reader() as api, waiting(desk, "reading tokens and sinks"):
        return parts.look(api, Beyond(before.sets if before else None))


def _offline(parts: Parts, desk: Desk, path: Path) -> World:
    past = read(path, parts.loaded.token_set)
    found = past.world
    unseen = Unread("the snapshot does not show it")
    sinks = {name: found.sinks.get(name, unseen) for name in (*parts.config.sinks, *found.sinks)}
    world = replace(found, sinks=sinks)
    age = aged(parts.now() - world.now)
    desk.note(f"planned from {path}, a snapshot that is {age}; apply looks again by itself")
    for odd in _otherwise(parts, world, past.set):
        desk.note(f"{path} is a snapshot of {odd}")
    return world


def _otherwise(parts: Parts, world: World, set_name: str) -> Iterator[str]:
    """What it is of, where the files say otherwise. The plan says it, too, and apply looks by itself.

    A server from the environment is no word against it: a pull request has none.
    """
    named = parts.where.management_url or parts.config.management_url
    if named and world.server != server_of(named, allow_http=parts.config.allow_http):
        yield f"{terminal(world.server)}, and not of {named}"
    ours = parts.loaded.token_set.name
    if set_name != ours:
        yield f"the set {terminal(set_name)!r}: only tokens of service users, and of its own, are known"
