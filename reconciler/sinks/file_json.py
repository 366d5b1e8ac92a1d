"""The `json` format: one object, our tokens as strings, our records under `_netbird-tokens`.

No key of ours can be that name. Members that are not ours keep their order and the very text of
their values: numbers that Python would round, escapes, nested layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from json.decoder import scanstring
from typing import Final

from reconciler.core.secret import Secret
from reconciler.sinks.receipt_text import Found, Garbled, from_text, to_text
