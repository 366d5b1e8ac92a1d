"""Token files as they are in a commit, read from Git's own store: no work tree, no filter, no hook."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError

_FILE: Final = "100"
"""How the mode of a plain file begins; a link could lead anywhere."""
_TIMEOUT: Final = 60.0
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a commit has of some paths.

    Attributes:
        commit: Its full id.
        paths: Copies of the files and folders that it has, for as long as the block lasts.
    """

    commit: str
    paths: tuple[Path, ...]


@contextmanager
def checked_out(ref: str, paths: Sequence[Path]) -> Iterator[Checkout]:
    """These files and folders as `ref` has them, in a folder of their own.

    Raises:
        UsageError: There is no Git, no repository, or no such commit in it.
    """
    here = _nearest_folder(paths[0])
    commit = _commit(ref, here)
    root = Path(_git(here, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    with tempfile.TemporaryDirectory(prefix="netbird-tokens-") as name:
        found = []
        for number, path in enumerate(paths):
            place = Path(name) / str(number) / path.name
            if _copied(commit, _inside(root, path), place, root):
                found.append(place)
        yield Checkout(commit, tuple(found))


def _commit(ref: str, here: Path) -> str:
    try:
        found = _git(
            here, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        )
    except _Refused as refused:
        raise UsageError(
            f"--base: this repository has no commit {ref!r}{refused.said}",
            hint="fetch it first, as in `git fetch origin main`; in CI, fetch the whole history",
        ) from None
    return found.decode().strip()


def _inside(root: Path, path: Path) -> str:
    whole = path.parent.resolve() / path.name if path.name else path.resolve()
    if not whole.is_relative_to(root.resolve()):
        raise UsageError(f"--base: {path} is not in the repository {root}")
    inside = whole.relative_to(root.resolve()).as_posix()
    return "" if inside == "." else inside


def _copied(commit: str, inside: str, place: Path, root: Path) -> bool:
    """Write what the commit has there; whether it has anything."""
    try:
        kind = _git(root, "cat-file", "-t", f"{commit}:{inside}").strip()
    except _Refused:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == b"tree":
        place.mkdir(exist_ok=True)
        for name, blob in _files(_git(root, "ls-tree", "-z", f"{commit}:{inside}")):
            (place / name).write_bytes(_git(root, "cat-file", "blob", blob))
        return True
    for _, blob in _files(_git(root, "ls-tree", "-z", commit, "--", inside)):
        place.write_bytes(_git(root, "cat-file", "blob", blob))
        return True
    return False


def _files(listed: bytes) -> Iterator[tuple[str, str]]:
    """Name and blob of each plain file."""
    for line in filter(None, listed.split(b"\0")):
        facts, _, name = line.partition(b"\t")
        mode, _, blob = facts.decode().split(" ")
        if mode.startswith(_FILE):
            yield os.fsdecode(name), blob


class _Refused(Exception):
    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def _git(here: Path, *argv: str) -> bytes:
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - our own words; a ref comes after --end-of-options
            ["git", "-C", str(here), "--no-pager", *argv],  # noqa: S607 - the PATH's git
            capture_output=True,
            env={**env, "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"},
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("--base needs git", hint="install git") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"--base: git {argv[0]} took longer than {_TIMEOUT:.0f} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _Refused(f": {said[-1]}" if said else "")
    return done.stdout


def _nearest_folder(path: Path) -> Path:
    here = path if path.is_dir() else path.parent
    while not here.is_dir() and here != here.parent:
        here = here.parent
    return here
