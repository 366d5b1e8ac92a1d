"""Fixtures of the loader's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from loading import HEAD, KEYS, TODAY, Load

from reconciler.source.build import Loaded, load_set
from reconciler.source.config import Config, default_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return default_config(tmp_path)


@pytest.fixture
def load_paths(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads files and folders, which count from the test's own folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *paths: load_set([Path(path) for path in paths], config, KEYS, TODAY)


@pytest.fixture
def load(load_paths: Load) -> Load:
    """Loads a text, with the usual head before it, as the file `t.yaml`; or the bytes of a whole file."""

    def load_text(text: str | bytes) -> Loaded:
        data = text if isinstance(text, bytes) else (HEAD + text).encode()
        Path("t.yaml").write_bytes(data)
        return load_paths("t.yaml")

    return load_text
