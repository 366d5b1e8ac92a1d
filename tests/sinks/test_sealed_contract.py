"""The contract of every sink, on encrypted files: in a folder, and on a branch of a bare remote."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealing import Branch, Folder, Key, Tool, needed

from reconciler.testing import SinkContract


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Key:
    needed("age", "age-keygen")
    return Key.made(tmp_path_factory.mktemp("key") / "key.txt")


class TestAge(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path, consumer: Key) -> Folder:
        return Folder(tmp_path, Tool("age", consumer))


class TestSops(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path, consumer: Key) -> Folder:
        needed("sops")
        return Folder(tmp_path, Tool("sops", consumer))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Branch.begun(tmp_path_factory.mktemp("git"))


class TestPushed(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path, consumer: Key, begun: Path) -> Branch:
        return Branch(tmp_path, Tool("age", consumer), begun)
