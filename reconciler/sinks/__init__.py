"""Secret stores: where a token's secret goes, together with a receipt that says whose it is.

How to add a sink
-----------------
1. Write `reconciler/sinks/<type>.py`. Most stores hold one record per key: give it a class with the
   methods of `records.Store`, and `RecordSink` makes a sink of it. A store of another shape implements
   `core.ports.Sink` itself.
2. Say `TYPE = SinkType(keys, build, store)` at its end, and add its line to `BUILT_IN`; the module is
   imported only when a config uses it. A package that only this type needs is an extra, which `needed`
   imports in `build`: the keys of a file can be checked without it.
3. Describe its options in `schemas/config.v1.schema.json`: its name among the types, a line in `allOf` there,
   and the definition `<type>_sink`, all in the order of the alphabet. Show every option in
   `examples/sinks/<type>.yaml`.
4. Run `reconciler.testing.SinkContract` on it, against the real store where one can be had.

From another distribution: `reconciler/testing/SINKS.md` tells the whole story.

What every sink owes is in `PROTOCOL.md`: refused means definitely not written, unread never means empty.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final, ParamSpec, TypeVar

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import NetbirdTokensError, SinkUnread, UsageError
from reconciler.sinks.guarded import Guarded, told_by
from reconciler.surroundings import Surroundings

Options = Mapping[str, object]
"""What the config says about one sink, besides its name and type; the schema's defaults are filled in."""

GROUP: Final = "netbird_tokens.sinks"
API_VERSION: Final = 1
DISTRIBUTION: Final = "netbird-token-reconciler"


_Asked = ParamSpec("_Asked")
_Told = TypeVar("_Told")
Identity = tuple[str, ...]
"""What a store is known by, from the large to the small: equal, or one within the other, is one store."""


def whole(options: Options, _around: Surroundings) -> Identity:
    """The identity of a store that says nothing better: everything that the config says about it."""
    return (json.dumps(options, sort_keys=True, default=repr),)


@dataclass(frozen=True, slots=True)
class Proof:
    """How a store that goes by several names says which one it is.

    Attributes:
        part: What the config alone tells of a store, from the large to the small. Two sinks of which
            neither is within the other here lead to two stores, and no store is asked.
        ask: Which store it is by its own word, as `SinkType.store` puts it. Reads the network. Raises
            SinkUnread and UsageError.
    """

    part: Callable[[Options], Identity]
    ask: Callable[[Options, Surroundings], Identity]


@dataclass(frozen=True, slots=True)
class SinkType:
    """One kind of store.

    Attributes:
        keys: The rule for keys in a sink with these options. Raises UsageError.
        build: A sink with these options. Reads no network. Raises UsageError.
        store: Which store these options lead to, such as its address and the parts of its path. Two
            sinks of a config may not lead to one: each would take the other's secrets for its own.
            Reads no network. Raises UsageError.
        proof: Where `store` cannot tell: one store may be named by a path or an id, or by the
            surroundings.
        api_version: The version of this contract that it was written for.
    """

    keys: Callable[[Options], KeyRule]
    build: Callable[[Options, Surroundings], Sink]
    store: Callable[[Options, Surroundings], Identity] = whole
    proof: Proof | None = None
    api_version: int = API_VERSION


BUILT_IN: Final[Mapping[str, str]] = {
    "age": "reconciler.sinks.sealed.age",
    "aws-secretsmanager": "reconciler.sinks.aws.secretsmanager",
    "aws-ssm": "reconciler.sinks.aws.ssm",
    "exec": "reconciler.sinks.exec",
    "file": "reconciler.sinks.file",
    "github": "reconciler.sinks.github",
    "gitlab": "reconciler.sinks.gitlab",
    "kubernetes": "reconciler.sinks.kubernetes",
    "sops": "reconciler.sinks.sealed.sops",
    "vault": "reconciler.sinks.vault",
}
"""Type to the module that has its `TYPE`."""


def sink_type(name: str) -> SinkType:
    """The type of this name; only then is its module imported.

    Raises:
        UsageError: There is none, there are several, it cannot be imported, or it is none of ours.
    """
    module = BUILT_IN.get(name)
    with _loading(name):
        found = importlib.import_module(module).TYPE if module else _foreign(name)
    if not isinstance(found, SinkType):
        what = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise UsageError(
            f"the sink type {_owned(name)} leads to {what}, not to a SinkType",
            hint="in the package that has it: TYPE = SinkType(keys=…, build=…)",
        )
    if found.api_version != API_VERSION:
        raise UsageError(
            f"the sink type {_owned(name)} was written for version {found.api_version} of the contract; "
            f"this is version {API_VERSION}",
            hint="update the older of the two: that package, or netbird-tokens",
        )
    return found


@cache
def guarded(name: str) -> SinkType:
    """`sink_type` for a run: whatever the type raises beyond its contract ends no command.

    One name, one object: whether two sinks are of one type is told by that.

    Raises:
        UsageError: As `sink_type`; what it returns raises it for any error in `keys`, `build`, `store`.
    """
    found = sink_type(name)
    proof = found.proof

    def safe(does: Callable[_Asked, _Told], what: str) -> Callable[_Asked, _Told]:
        return told_by(does, UsageError, f"{what} of the sink type {name}", NetbirdTokensError)

    def build(options: Options, around: Surroundings) -> Sink:
        return Guarded(found.build(options, around), name)

    return SinkType(
        keys=safe(found.keys, "keys"),
        build=safe(build, "build"),
        store=safe(found.store, "store"),
        proof=proof
        and Proof(
            safe(proof.part, "part"),
            told_by(proof.ask, SinkUnread, f"ask of the sink type {name}", UsageError),
        ),
    )


def needed(module: str, extra: str) -> ModuleType:
    """A module that comes with an extra of ours.

    Raises:
        UsageError: It is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the package {error.name} is not installed", hint=_installing(extra)
        ) from None


def _installing(extra: str) -> str:
    """The command that adds an extra where this very program is installed."""
    home = Path(sys.prefix)
    if not (home / "pipx_metadata.json").exists():
        return f"{shlex.quote(sys.executable)} -m pip install '{DISTRIBUTION}[{extra}]'"
    from importlib.metadata import requires  # noqa: PLC0415 - slow, and seldom needed

    parts = [each.partition(";") for each in requires(DISTRIBUTION) or ()]
    wanted = [name.strip() for name, _, when in parts if re.search(rf"extra == .{extra}\b", when)]
    return shlex.join(
        ["pipx", "inject", home.name, *wanted]
    )  # it passes over extras of what it has


def foreign_types() -> dict[str, str]:
    """Types that other distributions bring, and which these are; none of them is imported."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and seldom needed

    found: dict[str, list[str]] = {}
    for each in entry_points(group=GROUP):
        owner = f"{each.dist.name} {each.dist.version}" if each.dist else "?"
        found.setdefault(each.name, []).append(owner)
    return {name: " and ".join(sorted(found[name])) for name in sorted(found)}


def _foreign(name: str) -> object:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and seldom needed

    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        there = ", ".join([*BUILT_IN, *foreign_types()])
        raise UsageError(
            f"no installed package has the sink type {name}",
            hint=f"install the one that has it; there are {there}",
        )
    if len(found) > 1:
        raise UsageError(
            f"several packages have the sink type {name}: {foreign_types()[name]}",
            hint="uninstall all but one",
        )
    return found[0].load()


def _owned(name: str) -> str:
    owner = foreign_types().get(name)
    return f"{name} of {owner}" if owner else name


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Other people's modules may raise anything; only what cannot be found is worth its text."""
    try:
        yield
    except NetbirdTokensError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        absent = isinstance(error, ImportError | AttributeError)
        why = str(error) if absent else f"it raises {type(error).__name__}"
        raise UsageError(
            f"the sink type {_owned(name)} cannot be loaded: {why}",
            hint="install that package again, with all that it needs",
        ) from None
