"""Files on a branch of a remote: a secret counts as stored when the push is through, and not before.

A push with a lease is a compare-and-set of the whole branch. One that was refused left nothing there. One
whose answer was lost is settled by asking the remote: either the branch has our commit, or the branch has
moved, and then the lease keeps ours out for good. Otherwise it is not known, and nobody guesses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Final

from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks.file_watch import Watch
from reconciler.sinks.sealed.files import Change, Content
from reconciler.sinks.sealed.git import Git, GitFailed, Pushed
from reconciler.transaction import awake_or_not

_TRIES: Final = 8
_REJECTED: Final = (
    "may this run push to that branch? a protected one may want another, see `branch`"
)


class BranchFiles:
    """One folder of a branch.

    Attributes:
        folder: Where a checkout has it; absolute.
        git: The branch.
        note: Ends the subject of every commit.
        clock: Seconds from any start; how long a write takes is judged by it.
    """

    def __init__(
        self, folder: Path, git: Git, note: str, clock: Callable[[], float] = awake_or_not
    ) -> None:
        self.folder, self.git, self.note, self.clock = folder, git, note, clock
        self._turn = Lock()

    @property
    def name(self) -> str:
        return f"{self.folder.name} on {self.git}"

    def path(self, file: str) -> Path:
        return self.folder / file

    def all(self, endings: tuple[str, ...]) -> Mapping[str, bytes | Unread]:
        """A link is a file that holds the way to another one, as git has it, and so a foreign value."""
        start = f"{self._prefix}/" if self._prefix else ""
        listed = self.git.entries(self.git.tip(), self._prefix or ".")
        found = {
            name.removeprefix(start): oid
            for name, oid in listed.items()
            if name.startswith(start) and name.endswith(endings)
        }
        return dict(zip(found, self.git.contents(list(found.values())), strict=True))

    def read(self, file: str) -> Content:
        path = self._in_tree(file)
        return self.git.content(self.git.tip(), path)

    def probe(self, file: str) -> None:
        with _nothing_written():
            path = self._in_tree(file)
            tip = self.git.tip()
            self.git.content(tip, path)
            pushed, why = self.git.try_push(tip)
        if pushed is Pushed.UNKNOWN:
            raise SinkRefused(f"cannot push to {self.git}: {why}", hint=_REJECTED)

    def write(self, file: str, change: Change, tag: str) -> None:
        """Threads of one process take turns, for of two pushes at once one is always in vain."""
        watch = Watch(self.clock)
        with self._turn:
            self._write(file, change, tag, watch)

    def _write(self, file: str, change: Change, tag: str, watch: Watch) -> None:
        for _ in range(_TRIES):
            with _nothing_written():
                path = self._in_tree(file)
                tip = self.git.tip()
                before = self.git.content(tip, path)
                after = change(before)
                if before == after:
                    return
                subject = self._subject(file, after, tag)
                commit = self.git.commit(tip, path, after, subject)
                watch.check()
            if self._is_through(commit, tip, watch):
                return
        raise SinkRefused(f"others push to {self.git} all the time", hint="run again")

    def _is_through(self, commit: str, tip: str, watch: Watch) -> bool:
        """Whether the branch has it. False: another push came first. Raises SinkRefused, SinkUnsure."""
        try:
            pushed, why = self.git.push(commit, tip)
        except GitFailed as error:
            raise SinkRefused(error.message, hint=error.hint) from None
        match pushed:
            case Pushed.DONE:
                return True
            case Pushed.REFUSED:
                with _nothing_written():
                    moved = self.git.tip() != tip
                if moved:
                    return False
                raise SinkRefused(f"{self.git} does not take the push: {why}", hint=_REJECTED)
            case Pushed.UNKNOWN:
                return self._settled(commit, tip, watch, why)

    def _settled(self, commit: str, tip: str, watch: Watch, why: str) -> bool:
        """What became of a push that nobody answered; sent again, it is still the same one."""
        with suppress(GitFailed, OSError):
            for is_last in (False, True):
                now = self.git.tip()
                if self.git.contains(now, commit):
                    return True
                if now != tip:
                    if self.git.contains(now, tip):
                        return False
                    break  # somebody has rewritten the branch: it may have been there
                watch.check()
                if not is_last and self.git.push(commit, tip)[0] is Pushed.DONE:
                    return True
        raise SinkUnsure(
            f"a push to {self.git} may or may not come through: {why}",
            hint="run the same command again: it looks before it writes",
        )

    def _in_tree(self, file: str) -> str:
        return f"{self._prefix}/{file}" if self._prefix else file

    def _subject(self, file: str, after: Content, tag: str) -> str:
        what = "is removed with" if after is None else "is for"
        whose = f"token {tag}" if tag else "the set that it names"
        return f"netbird-tokens: {file} {what} {whose} {self.note}".rstrip()

    @cached_property
    def _prefix(self) -> str:
        """The folder within the tree; empty for the top."""
        root = self.git.root()
        try:
            found = Path(os.path.normpath(self.folder)).relative_to(root.resolve())
        except ValueError:
            raise GitFailed(
                f"{self.folder} is not in the repository {root}", hint="mend `path` in the config"
            ) from None
        return "" if found == Path() else found.as_posix()


@contextmanager
def _nothing_written() -> Iterator[None]:
    """Whatever fails here comes before a push, or after one that was refused."""
    try:
        yield
    except SinkUnread as error:
        raise SinkRefused(error.message, hint=error.hint) from None
    except OSError as error:
        raise SinkRefused(str(error)) from None
