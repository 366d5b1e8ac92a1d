"""What every test of the loader starts from: four sinks, and a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from reconciler.core.keys import PATH_KEYS, VARIABLE_KEYS, KeyRule
from reconciler.core.receipts import SinkName
from reconciler.source.build import Loaded

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
