"""Secret stores: where a token's secret goes, together with a receipt that says whose it is.

How to add a sink
-----------------
1. Write `reconciler/sinks/<type>.py`. Most stores hold one record per key: give it a class with the
   methods of `records.Store`, and `RecordSink` makes a sink of it. A store of another shape implements
   `core.ports.Sink` itself.
2. Say `TYPE = SinkType(keys, build)` at its end, and add its line to `BUILT_IN`; the module is imported
   only when a config uses it. From another distribution: an entry point `vendor.type` in the group
   `netbird_tokens.sinks` that leads to such a `TYPE`.
3. Describe its options in `schemas/config.v1.schema.json`, as the definition `<type>_sink`, and show all of
   them in `examples/sinks/<type>.yaml`.
4. Run `reconciler.testing.SinkContract` on it, against the real store where one can be had.

What every sink owes is in `PROTOCOL.md`: refused means definitely not written, unread never means empty.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import UsageError
from reconciler.surroundings import Surroundings

Options = Mapping[str, object]
"""What the config says about one sink, besides its name and type; the schema's defaults are filled in."""

GROUP: Final = "netbird_tokens.sinks"
API_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SinkType:
    """One kind of store.

    Attributes:
        keys: The rule for keys in a sink with these options. Raises UsageError.
        build: A sink with these options. Reads no network. Raises UsageError.
        api_version: The version of this contract that it was written for.
    """

    keys: Callable[[Options], KeyRule]
    build: Callable[[Options, Surroundings], Sink]
    api_version: int = API_VERSION


BUILT_IN: Final[Mapping[str, str]] = {
    "file": "reconciler.sinks.file",
    "vault": "reconciler.sinks.vault",
}
"""Type to the module that has its `TYPE`."""


def sink_type(name: str) -> SinkType:
    """The type of this name; only then is its module imported.

    Raises:
        UsageError: There is none, there are several, or it needs a package that is not installed.
    """
    try:
        module = BUILT_IN.get(name)
        found = importlib.import_module(module).TYPE if module else _foreign(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"sink type {name} needs the package {error.name}",
            hint=f"pip install 'netbird-token-reconciler[{name}]'",
        ) from None
    if not isinstance(found, SinkType) or found.api_version != API_VERSION:
        raise UsageError(
            f"sink type {name} was written for another version of netbird-tokens",
            hint="update the distribution that has it",
        )
    return found


def _foreign(name: str) -> object:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and seldom needed

    found = tuple(entry_points(group=GROUP, name=name))
    owners = sorted(each.dist.name if each.dist else "?" for each in found)
    if not found:
        raise UsageError(
            f"no installed package has the sink type {name}",
            hint=f"built in are {', '.join(sorted(BUILT_IN))}; others come as entry points of {GROUP}",
        )
    if len(found) > 1:
        raise UsageError(
            f"several packages have the sink type {name}: {', '.join(owners)}",
            hint="uninstall all but one",
        )
    return found[0].load()
