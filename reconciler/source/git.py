"""Token files as they are in a commit, read from Git's own store: no work tree, no filter, no hook."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError
from reconciler.program import NotStarted, Program
from reconciler.surroundings import INHERITED

_FILE: Final = "100"
"""How the mode of a plain file begins; a link could lead anywhere."""
_FETCH: Final = "fetch it first, as in `git fetch origin main`; in CI, fetch the whole history"
_WHOLE: Final = "it needs a work tree and the whole commit: no bare repository and no partial clone"
_TRUST: Final = "if you trust it: git config --global --add safe.directory FOLDER"
_FOLDER: Final = "040000"
_TIMEOUT: Final = 60.0
_LIMIT: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a commit has of some paths.

    Attributes:
        commit: Its full id.
        paths: Copies of the files and folders that it has, for as long as the block lasts.
        elsewhere: Whether it has none of those, and this is what it has in their stead.
    """

    commit: str
    paths: tuple[Path, ...]
    elsewhere: bool = False


@contextmanager
def checked_out(
    ref: str, paths: Sequence[Path], instead: Sequence[Path] = ()
) -> Iterator[Checkout]:
    """These files and folders as `ref` has them, in a folder of their own.

    Where it has none of them, they may have been moved: then it is the first of `instead` that it has.

    Raises:
        UsageError: There is no Git, no work tree, no such commit, or one that was fetched only in part.
    """
    here = _nearest_folder(paths[0])
    commit = _commit(ref, here)
    with tempfile.TemporaryDirectory(prefix="netbird-tokens-") as name:
        try:
            found = tuple(_copies(commit, _root(here), paths, Path(name)))
            moved = (
                () if found else tuple(islice(_copies(commit, _root(here), instead, Path(name)), 1))
            )
        except _Refused as refused:
            raise UsageError(f"--base: {ref} cannot be read{refused.said}", hint=_WHOLE) from None
        yield Checkout(commit, found or moved, elsewhere=bool(moved))


def head_of(here: Path) -> str:
    """The commit that is checked out in a folder; empty where git is missing or does not say."""
    try:
        return _commit("HEAD", here)
    except (UsageError, _Refused):
        return ""


def _root(here: Path) -> Path:
    return Path(os.fsdecode(_git(here, "rev-parse", "--show-toplevel").removesuffix(b"\n")))


def _copies(commit: str, root: Path, paths: Sequence[Path], folder: Path) -> Iterator[Path]:
    for number, path in enumerate(paths):
        place = folder / str(number) / path.name
        if _copied(commit, _inside(root, path), place, root):
            yield place


def _commit(ref: str, here: Path) -> str:
    try:
        found = _git(
            here, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
    except _Refused as refused:
        strange = "dubious ownership" in refused.said
        said = "cannot be asked" if strange else f"has no commit {ref!r}"
        raise UsageError(
            f"--base: this repository {said}{refused.said}", hint=_TRUST if strange else _FETCH
        ) from None
    return found.decode().strip()


def _inside(root: Path, path: Path) -> str:
    whole = path.parent.resolve() / path.name if path.name else path.resolve()
    if not whole.is_relative_to(root.resolve()):
        raise UsageError(f"--base: {path} is not in the repository {root}")
    inside = whole.relative_to(root.resolve()).as_posix()
    return "" if inside == "." else inside


def _copied(commit: str, inside: str, place: Path, root: Path) -> bool:
    """Write what the commit has there; whether it has anything.

    Trees are asked, which every clone has: an object that was not fetched is not one that is not there.
    """
    entries = [_Entry("040000", commit, "")] if not inside else _listed(commit, root, "--", inside)
    if not any(entry.is_folder or entry.is_file for entry in entries):
        return False
    (entry,) = entries
    place.parent.mkdir(parents=True, exist_ok=True)
    if entry.is_file:
        place.write_bytes(_git(root, "cat-file", "blob", entry.object))
        return True
    place.mkdir(exist_ok=True)
    for each in _listed(entry.object, root):
        if each.is_file:
            (place / each.name).write_bytes(_git(root, "cat-file", "blob", each.object))
    return True


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    object: str
    name: str

    @property
    def is_file(self) -> bool:
        return self.mode.startswith(_FILE)

    @property
    def is_folder(self) -> bool:
        return self.mode == _FOLDER


def _listed(tree: str, root: Path, *paths: str) -> list[_Entry]:
    found = []
    for line in filter(None, _git(root, "ls-tree", "-z", tree, *paths).split(b"\0")):
        facts, _, name = line.partition(b"\t")
        mode, _, each = facts.decode().split(" ")
        found.append(_Entry(mode, each, os.fsdecode(name)))
    return found


class _Refused(Exception):
    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def _git(here: Path, *argv: str) -> bytes:
    """What git prints; of the words in `argv` a ref comes after --end-of-options."""
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}
    try:
        ended = Program(("git", "--no-pager"), env, here, _TIMEOUT, _LIMIT).run(argv)
    except NotStarted:
        raise UsageError("--base needs git", hint="install git") from None
    if ended.why:
        raise UsageError(f"--base: git {argv[0]} {ended.why}")
    if ended.status:
        said = ended.lines()
        fatal = [line for line in said if line.startswith("fatal: ")]  # its advice follows
        raise _Refused(f": {(fatal or said)[-1]}" if said else "")
    return ended.out


def _nearest_folder(path: Path) -> Path:
    here = path if path.is_dir() else path.parent
    while not here.is_dir() and here != here.parent:
        here = here.parent
    return here
