"""What a plan is made from: the account or a snapshot of it, the files as they are and as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.api.endpoint import server_of
from reconciler.commands.desk import Desk
from reconciler.commands.progress import waiting
from reconciler.commands.snapshot import read
from reconciler.core.aim import aimed
from reconciler.core.comparison import Base
from reconciler.core.planner import make_plan
from reconciler.core.spec import TokenSet
from reconciler.core.tokens import Unread
from reconciler.core.world import World
from reconciler.errors import InputError
from reconciler.gather import Beyond
from reconciler.reports.ages import ago
from reconciler.reports.escape import terminal
from reconciler.source.build import load_set
from reconciler.source.git import checked_out
from reconciler.wiring import Parts


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
    before = _Before.of(ref, parts, desk.note) if ref is not None else None
    wide = _offline(parts, desk, snapshot) if snapshot else _live(parts, desk, before)
    if before is None and snapshot is None:
        return View(wide)
    world = aimed(wide, parts.loaded.token_set)
    return View(world, before.planned(wide) if before else None)


@dataclass(frozen=True, slots=True)
class _Before:
    """The files in a commit; no set where there is none that could be planned with."""

    ref: str
    commit: str
    wanted: TokenSet | None

    @classmethod
    def of(cls, ref: str, parts: Parts, say: Callable[[str], None]) -> _Before:
        ours = parts.loaded.token_set.name
        with checked_out(ref, parts.files) as found:
            if not found.paths:
                return cls(ref, found.commit, None)
            try:
                wanted = load_set(found.paths, parts.config, parts.keys, parts.now().date())
            except InputError:
                say(
                    f"the token files at {ref} are not valid; everything counts as caused by this change"
                )
                return cls(ref, found.commit, None)
        if wanted.token_set.name == ours:
            return cls(ref, found.commit, wanted.token_set)
        say(f"at {ref} the set is named {wanted.token_set.name!r}; that one is not compared")
        return cls(ref, found.commit, None)

    def planned(self, wide: World) -> Base:
        plan = make_plan(aimed(wide, self.wanted)) if self.wanted else None
        return Base(self.ref, self.commit, plan)


def _live(parts: Parts, desk: Desk, before: _Before | None) -> World:
    with parts.reader() as api, waiting(desk, "reading tokens and sinks"):
        return parts.look(api, Beyond(before.wanted if before else None))


def _offline(parts: Parts, desk: Desk, path: Path) -> World:
    past = read(path, parts.loaded.token_set)
    found = past.world
    unseen = Unread("the snapshot does not show it")
    sinks = {name: found.sinks.get(name, unseen) for name in (*parts.config.sinks, *found.sinks)}
    world = replace(found, sinks=sinks)
    age = parts.now() - world.now
    desk.note(f"planned from {path}, a snapshot of {ago(age)} ago; apply looks again by itself")
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
