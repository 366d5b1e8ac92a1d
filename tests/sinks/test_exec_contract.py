"""The contract of every sink, on programs: one made for tests, and the one for `pass` with a real gpg."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from sealing import needed, quick, ran

from reconciler.core.ports import Sink
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings
from reconciler.testing import SinkContract
from reconciler.testing.sharing import Sharing

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "tests" / "fakes" / "commands"


@dataclass
class Kept:
    """The store is a JSON file."""

    home: Path
    timeout: int = 20
    is_slow: ClassVar[Literal[True]] = True

    def sink(self) -> Sink:
        options = {"command": [str(COMMANDS / "keeper")], "timeout": self.timeout}
        around = Surroundings(self.home, {"PATH": quick(self.home)}, allow_http=False)
        return sink_type("exec").build(options, around)

    def key(self, number: int) -> str:
        return f"set/{number}"

    def value(self, key: str) -> str | None:
        return self._records().get(key, {}).get("value")

    def plant(self, key: str, value: str) -> None:
        records = self._records()
        number = records.get(key, {"n": 0})["n"] + 1
        records[key] = {**records.get(key, {"meta": None}), "n": number, "value": value}
        (self.home / "kept.json").write_text(json.dumps({"records": records, "sets": {}}))

    @contextmanager
    def failing(self, when: Literal["before", "after"]) -> Iterator[None]:
        lines = [f"{op} exits 69" for op in ("check", "put", "delete", "register")]
        with self.mood(*(lines if when == "before" else ["after after"])):
            yield

    @contextmanager
    def hanging(self, what: Literal["reads", "writes"]) -> Iterator[float]:
        ops = ("list", "stat") if what == "reads" else ("put", "delete", "register")
        self.timeout = 1
        with self.mood(*(f"{op} hangs" for op in ops)):
            yield 10.0
        self.timeout = 20

    def listing(self) -> object:
        file = self.home / "kept.json"
        return file.read_text() if file.exists() else None

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        with self.mood("stat exits 5", "list exits 5"):
            yield

    @contextmanager
    def mood(self, *lines: str) -> Iterator[None]:
        (self.home / "mood").write_text("\n".join(lines))
        yield
        (self.home / "mood").unlink()

    def _records(self) -> dict[str, dict]:
        file = self.home / "kept.json"
        return json.loads(file.read_text())["records"] if file.exists() else {}


class TestProgram(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Kept:
        return Kept(tmp_path)


class TestLastWriterWins(Sharing):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Kept:
        (tmp_path / "capabilities").write_text(json.dumps({"cas": False, "atomic": True}))
        return Kept(tmp_path)


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Path]:
    """A key without a passphrase; in a short path, for sockets stand in it."""
    needed("gpg", "pass")
    home = Path(tempfile.mkdtemp(prefix="np-"))
    words = ["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "tester"]
    ran("gpg", *words, "future-default", "default", "never", GNUPGHOME=str(home))
    yield home
    ran("gpgconf", "--homedir", home, "--kill", "all")
    shutil.rmtree(home, ignore_errors=True)


@dataclass
class PassStore:
    """A password store that people use with `pass`, too."""

    home: Path
    gnupg: Path
    is_slow: ClassVar[Literal[True]] = True

    def __post_init__(self) -> None:
        self.signs_with = self.gnupg
        self.first = self.home / "first"
        self.first.mkdir()
        self.passes("init", "tester")

    def passes(self, *words: str, given: str = "") -> str:
        where = {"PASSWORD_STORE_DIR": str(self.home / "store"), "GNUPGHOME": str(self.gnupg)}
        return ran("pass", *words, given=given, **where)

    def sink(self) -> Sink:
        env = {
            "PATH": f"{self.first}:{quick(self.home)}",
            "PASSWORD_STORE_DIR": str(self.home / "store"),
            "GNUPGHOME": str(self.signs_with),
        }
        options = {
            "command": [str(ROOT / "examples" / "exec" / "pass-sink")],
            "env": ["PASSWORD_STORE_DIR", "GNUPGHOME"],
            "params": {"folder": "netbird"},
        }
        return sink_type("exec").build(options, Surroundings(self.home, env, allow_http=False))

    def key(self, number: int) -> str:
        return f"set/{number}"

    def value(self, key: str) -> str | None:
        if not (self.home / "store" / "netbird" / f"{key}.gpg").exists():
            return None
        return self.passes("show", f"netbird/{key}").splitlines()[0]

    def plant(self, key: str, value: str) -> None:
        self.passes("insert", "--multiline", "--force", f"netbird/{key}", given=f"{value}\n")

    @contextmanager
    def failing(self, when: Literal["before", "after"]) -> Iterator[None]:
        """Another `pass` comes first, whose writes fail, before or after the real one did them."""
        real = shutil.which("pass")
        does = f'{real} "$@"; ' if when == "after" else ""
        program = self.first / "pass"
        program.write_text(f'#!/bin/sh\n[ "$1" = insert ] && {{ {does}exit 1; }}\nexec {real} "$@"\n')
        program.chmod(0o755)
        yield
        program.unlink()

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        """Without the private key."""
        self.signs_with = self.home / "nothing"
        self.signs_with.mkdir(mode=0o700, exist_ok=True)
        yield
        self.signs_with = self.gnupg


class TestPass(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path, gnupg: Path) -> PassStore:
        return PassStore(tmp_path, gnupg)
