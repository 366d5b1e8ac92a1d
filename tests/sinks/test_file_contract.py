"""The contract of every sink, on the three formats of the file sink."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from reconciler.core.ports import Sink
from reconciler.sinks import sink_type
from reconciler.sinks.file import safe_fs
from reconciler.surroundings import Surroundings
from reconciler.testing import SinkContract


@dataclass
class Files:
    """The store is a folder; a consumer opens its files."""

    folder: Path
    form: str

    def sink(self) -> Sink:
        path = "secrets" if self.form == "raw" else f"secrets/all.{self.form}"
        options = {"format": self.form, "path": path}
        return sink_type("file").build(options, Surroundings(self.folder, {}, allow_http=False))

    def key(self, number: int) -> str:
        return f"set/{number}" if self.form == "raw" else f"KEY_{number}"

    def value(self, key: str) -> str | None:
        try:
            text = self._file(key).read_text("utf-8")
        except FileNotFoundError:
            return None
        if self.form == "json":
            found = json.loads(text).get(key)
            return None if found is None else str(found)
        if self.form == "dotenv":
            lines = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
            return lines[-1] if lines else None
        return text

    def plant(self, key: str, value: str) -> None:
        file = self._file(key)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root.chmod(0o700)
        before = file.read_text("utf-8") if file.exists() else ""
        if self.form == "json":
            value = json.dumps({**json.loads(before or "{}"), key: value})
        elif self.form == "dotenv":
            value = re.sub(rf"^{key}=.*\n", "", before, flags=re.MULTILINE) + f"{key}={value}\n"
        file.write_text(value, "utf-8")
        file.chmod(0o600)

    @contextmanager
    def failing(self, when: Literal["before", "after"]) -> Iterator[None]:
        """The disk fails as a file is put in its place, or right after that."""
        with pytest.MonkeyPatch.context() as patch:
            fails = _no_space if when == "before" else _no_flush
            patch.setattr(safe_fs.Folder, "_write_new" if when == "before" else "flush", fails)
            yield

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        """A folder that others could write to is not trusted."""
        self._root.chmod(0o777)
        yield
        self._root.chmod(0o700)

    @property
    def _root(self) -> Path:
        return self.folder / "secrets"

    def _file(self, key: str) -> Path:
        return self._root / (key if self.form == "raw" else f"all.{self.form}")


def _no_space(*_args: object, **_named: object) -> None:
    raise OSError(28, os.strerror(28))


def _no_flush(*_args: object) -> None:
    raise OSError(5, os.strerror(5))


class TestFiles(SinkContract):
    @pytest.fixture(params=["raw", "dotenv", "json"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Files:
        return Files(tmp_path, request.param)
