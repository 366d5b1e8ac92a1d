"""One branch of a remote, by git's plumbing: no checkout, index or branch here is touched, no hook is run.

Of the repository that the config lies in only two things are used: its settings, which know the way to the
remote, and its store of objects. What is written there and never pushed, git itself clears away in time.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from threading import Lock
from typing import Final, Self

from reconciler.errors import SinkUnread
from reconciler.program import Ended, NotStarted, Program, shown

LOCAL: Final = 60.0
NETWORK: Final = 60.0
"""Seconds for one command."""
_LIMIT: Final = 256 << 20
_QUIET: Final[Mapping[str, str]] = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "push.gpgSign": "false",
    "credential.interactive": "false",
}
_ENV: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_AUTHOR: Final = re.compile(r"(.*\S)\s*<(.*)>")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]*@")
_LOOKS: Final = 3
_FETCHING: Final = Lock()
"""Threads of one process take turns: what one of them brings, the others need not."""


class GitFailed(SinkUnread):
    """A git command that changes nothing anywhere else did not do what it should."""


class Pushed(Enum):
    """What is known of a push."""

    DONE = auto()
    REFUSED = auto()
    """The remote, or our own git, said no: the branch has nothing of it."""
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Git:
    """One branch of one remote.

    Attributes:
        program: `git`, in the folder of the config.
    """

    program: Program
    remote: str
    ref: str

    @classmethod
    def of(
        cls, folder: Path, remote: str, branch: str, author: str, env: Mapping[str, str]
    ) -> Self:
        """`env` is what git sees of ours."""
        named = _AUTHOR.fullmatch(author)
        name, mail = named.groups() if named else (author, "")
        whose = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", name), ("EMAIL", mail))
        }
        settings = [word for key, value in _QUIET.items() for word in ("-c", f"{key}={value}")]
        seen = {**env, **_ENV, **whose}
        program = Program(("git", *settings), seen, folder, LOCAL, _LIMIT)
        return cls(program, remote, f"refs/heads/{branch}")

    def __str__(self) -> str:
        return f"{self.remote} {self.ref.removeprefix('refs/heads/')}"

    def root(self) -> Path:
        """The top of the checkout."""
        return Path(self._line("rev-parse", "--show-toplevel"))

    def tip(self) -> str:
        """The commit that the branch is at, on the remote, now; its objects are here.

        Raises:
            GitFailed: Nobody could look, or there is no such branch.
        """
        for _ in range(_LOOKS):
            tip = self._asked()
            with _FETCHING:
                if not self._has(tip):
                    self._fetch()
            if self._has(tip):
                return tip
        raise GitFailed(f"{self} moves faster than it can be fetched", hint="run again")

    def entries(self, tip: str, path: str) -> dict[str, str]:
        """The objects of all files at and below a path of a commit, by name."""
        listed = self._listed(tip, path, "-r")
        return {name: oid for name, (kind, oid) in listed.items() if kind == "blob"}

    def contents(self, oids: Sequence[str]) -> list[bytes]:
        """What these objects hold, by one command."""
        whole, at = self._batch(oids), 0
        found = []
        for oid in oids:
            head = whole[at : whole.find(b"\n", at)]
            if not head.startswith(f"{oid} blob ".encode()):
                raise GitFailed(f"git does not have the object {oid}", hint="`git fsck` says more")
            start, size = at + len(head) + 1, int(head.rpartition(b" ")[2])
            found.append(whole[start : start + size])
            at = start + size + 1
        return found

    def content(self, tip: str, path: str) -> bytes | None:
        """What one file of a commit holds; None if the commit has nothing there.

        The trees say what is there. An object that they name and that is not in our store proves nothing.
        """
        listed = self._listed(tip, path)
        if not listed:
            return None
        kind, oid = listed.get(path, ("", ""))
        if kind != "blob":
            raise GitFailed(f"{path} is a folder on {self}", hint="choose another key")
        return self.contents([oid])[0]

    def commit(self, tip: str, path: str, content: bytes | None, message: str) -> str:
        """A commit on top of this one, in which one file is another, or gone; nothing points to it."""
        if content is None:
            change = ["--force-remove", "--", path]
        else:
            oid = self._line("hash-object", "-w", "--stdin", "--no-filters", given=content)
            change = ["--add", "--cacheinfo", f"100644,{oid},{path}"]
        with self._own_index() as git:
            git._run(["read-tree", tip])  # noqa: SLF001 - ourselves, with another index
            git._run(["update-index", *change])  # noqa: SLF001
            tree = git._line("write-tree")  # noqa: SLF001
        return self._line("commit-tree", tree, "-p", tip, "-m", message)

    def contains(self, tip: str, commit: str) -> bool:
        """Whether a commit is in the history of another."""
        ended = self._ended(["merge-base", "--is-ancestor", commit, tip], b"")
        if ended.status not in {0, 1}:
            raise GitFailed(f"git cannot compare commits: {_why(ended)}")
        return ended.status == 0

    def push(self, commit: str, tip: str) -> tuple[Pushed, str]:
        """Move the branch from `tip` to `commit`, or not at all; and what was said about it."""
        return self._push(commit, tip)

    def try_push(self, tip: str) -> tuple[Pushed, str]:
        """As `push`, with nothing to push: whatever is answered, the remote has let us in."""
        return self._push(tip, tip, "--dry-run")

    def _push(self, commit: str, tip: str, *more: str) -> tuple[Pushed, str]:
        words = ["push", "--porcelain", "--no-verify", "--no-follow-tags", *more]
        words += ["--recurse-submodules=no", f"--force-with-lease={self.ref}:{tip}"]
        ended = self._ended([*words, self.remote, f"{commit}:{self.ref}"], b"", NETWORK)
        for line in ended.out.decode(errors="replace").splitlines():
            flag, _, rest = line.partition("\t")
            if f":{self.ref}\t" not in f"{rest}\t":
                continue
            summary = rest.partition("\t")[2]
            if flag == "!" and summary.startswith(("[rejected]", "[remote rejected]")):
                return Pushed.REFUSED, shown(summary)
            if flag in {" ", "+", "*", "="} and ended.status == 0:
                return Pushed.DONE, ""
        return Pushed.UNKNOWN, _why(ended)

    def _listed(self, tip: str, path: str, *more: str) -> dict[str, tuple[str, str]]:
        """Kind and object of each entry, by its whole name; a tree that is not here is a GitFailed."""
        words = ["ls-tree", *more, "-z", "--full-tree", tip, "--", path]
        listed = self._run(words).decode(errors="surrogateescape")
        found = {}
        for entry in filter(None, listed.split("\0")):
            about, _, name = entry.partition("\t")
            _, kind, oid = about.split()
            found[name] = (kind, oid)
        return found

    def _batch(self, objects: Sequence[str]) -> bytes:
        if not objects:
            return b""
        given = "".join(f"{name}\n" for name in objects)
        return self._run(["cat-file", "--batch"], given.encode(errors="surrogateescape"))

    def _asked(self) -> str:
        listed = self._run(["ls-remote", self.remote, self.ref], network=True)
        for line in listed.decode(errors="replace").splitlines():
            oid, _, ref = line.partition("\t")
            if ref == self.ref:  # others may end like it
                return oid
        raise GitFailed(
            f"there is no branch {self}",
            hint="make it with a first commit, or mend `git` in the config",
        )

    def _has(self, oid: str) -> bool:
        return self._ended(["cat-file", "-e", f"{oid}^{{commit}}"], b"").status == 0

    def _fetch(self) -> None:
        words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--refmap="]
        words += ["--no-recurse-submodules", self.remote, self.ref]
        self._run(words, network=True)

    @contextmanager
    def _own_index(self) -> Iterator[Git]:
        with tempfile.TemporaryDirectory(prefix="netbird-tokens-") as folder:
            env = {**self.program.env, "GIT_INDEX_FILE": str(Path(folder) / "index")}
            yield replace(self, program=replace(self.program, env=env))

    def _line(self, *words: str, given: bytes = b"") -> str:
        return self._run(words, given).decode(errors="surrogateescape").strip()

    def _run(self, words: Sequence[str], given: bytes = b"", *, network: bool = False) -> bytes:
        ended = self._ended(words, given, NETWORK if network else LOCAL)
        if ended.status != 0:
            raise GitFailed(
                f"git {words[0]} failed ({self}): {_why(ended)}",
                hint=f"try `git {words[0]} {self.remote}` by hand" if network else "",
            )
        return ended.out

    def _ended(self, words: Sequence[str], given: bytes, timeout: float = LOCAL) -> Ended:
        try:
            return replace(self.program, timeout=timeout).run(words, given)
        except NotStarted as error:
            raise GitFailed(error.message, hint="install git") from None


def _why(ended: Ended) -> str:
    """What git says went wrong; a URL may have a credential in it."""
    said = [line for line in ended.lines() if line.startswith(("fatal:", "error:"))]
    text = shown(said[0]) if said and not ended.why else ended.told()
    return _CREDENTIALS.sub("***@", text)
