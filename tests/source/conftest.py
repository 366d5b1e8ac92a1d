"""What every test of the loader starts from: three sinks, a config, and a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from reconciler.core.keys import PATH_KEYS, VARIABLE_KEYS, KeyRule
from reconciler.core.receipts import SinkName
from reconciler.source.build import Loaded, load_set
from reconciler.source.config import Config, default_config

TODAY = date(2026, 6, 1)
FOLDING = KeyRule(r"[A-Za-z_]+", "letters and `_`", "_", "_", upper=True, folds_case=True)
KEYS = {
    SinkName("local"): PATH_KEYS,
    SinkName("vault"): PATH_KEYS,
    SinkName("github"): VARIABLE_KEYS,
    SinkName("folding"): FOLDING,
}
HEAD = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: platform\n"

Load = Callable[..., Loaded]


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
