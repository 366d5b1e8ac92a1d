"""Secret stores: where a token's secret goes, together with a receipt that says whose it is.

How to add a sink
-----------------
1. Write `reconciler/sinks/<type>.py`: a class with the methods of `core.ports.Sink`. Writers raise
   `SinkRefused` only if the store definitely holds nothing new, otherwise `SinkUnsure`; readers
   raise `SinkUnread`, or answer `Unread` for one key: neither ever means "nothing there".
2. Store receipts as `receipt_text` writes them, in the same write as the value if the store
   allows it, and let `Found.judged` say whether the two belong together.
3. Reveal the secret in `put` alone, through `conditions.plain`.
4. Add one line to `SINK_TYPES`; the module is imported only when a config uses it.
5. Say what it does in `tests/sinks/`: a race, a crash at every step, a refusal, a failed read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink

Options = Mapping[str, object]
"""What the config says about one sink, besides its name and type."""


@dataclass(frozen=True, slots=True)
class SinkType:
    """One kind of store.

    Attributes:
        keys: The rule for keys in a sink with these options. Raises InputError.
        build: A sink with these options; paths are relative to the folder. Raises InputError.
    """

    keys: Callable[[Options], KeyRule]
    build: Callable[[Options, Path], Sink]


def _file_keys(options: Options) -> KeyRule:
    from reconciler.sinks.file import key_rule  # noqa: PLC0415 - adapters load when a config uses them

    return key_rule(options)


def _file(options: Options, base: Path) -> Sink:
    from reconciler.sinks.file import build  # noqa: PLC0415 - see _file_keys

    return build(options, base)


SINK_TYPES: Final[Mapping[str, SinkType]] = {
    "file": SinkType(keys=_file_keys, build=_file),
}
