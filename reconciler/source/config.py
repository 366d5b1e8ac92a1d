"""The operator's file: where the server is, which sinks there are, what one run may do (DESIGN §3).

Everything here is what the file says; flags and the environment come first and are `wiring`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from reconciler.core.receipts import SetName, SinkName
from reconciler.core.spec import Limits, Location, Schedule
from reconciler.errors import InputError
from reconciler.source.document import SCHEMAS, Document, Kind, load_document
from reconciler.source.nodes import descend, plain
from reconciler.source.problems import in_order

Argv = tuple[str, ...]

_UNITS: Final = {"h": "hours", "d": "days"}
_BUILT_IN: Final = Location("<built-in config>", 1, 1)


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """One sink; what its options mean is for its type. Defaults are filled in."""

    name: SinkName
    type: str
    options: Mapping[str, object]
    where: Location


@dataclass(frozen=True, slots=True)
class LockConfig:
    """How runs keep out of each other's way. Defaults are filled in."""

    type: str
    options: Mapping[str, object]
    where: Location


@dataclass(frozen=True, slots=True)
class Hooks:
    """Commands to run after secrets changed, and after a failed run."""

    deploy: tuple[Argv, ...] = ()
    failure: tuple[Argv, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """Whom to tell of changes, failures and drift.

    Attributes:
        url: Where to send a notice; None: it is in the environment, under `url_env`.
        format: `json`, or `slack`.
        state: A file that remembers which drift was told, relative to the config's folder.
    """

    url: str | None
    url_env: str
    format: str
    state: Path | None


@dataclass(frozen=True, slots=True)
class Config:
    """What operators decide.

    Attributes:
        live_name: How tokens are named on the server: text with `{name}` and maybe `{set}`.
        base: The folder that relative paths count from.
        path: The file; None for the built-in config.
        audit_log: A file that every action is written into; relative to `base`.
    """

    base: Path
    path: Path | None = None
    management_url: str | None = None
    allow_http: bool = False
    verify: bool = False
    live_name: str = "{name}"
    sinks: Mapping[SinkName, SinkConfig] = field(default_factory=dict)
    lock: LockConfig | None = None
    limits: Limits = field(default_factory=Limits)
    schedule: Schedule = field(default_factory=Schedule)
    hooks: Hooks = field(default_factory=Hooks)
    audit_log: Path | None = None
    notify: Notify | None = None

    def live_name_of(self, set_name: SetName, name: str) -> str:
        """The name on the server. The set goes in first: it holds no braces, a name may."""
        decorated = self.live_name.replace("{set}", set_name)
        before, _, after = decorated.partition("{name}")
        return before + name + after.replace("{name}", name)


def default_config(folder: Path) -> Config:
    """What holds without a config file: secrets go to `secrets` in the token file's folder."""
    return Config(base=folder, sinks=_local_sink())


def load_config(path: Path) -> Config:
    """The config in a file. Raises InputError with every problem of the file."""
    document, problems = load_document(path, Kind.CONFIG)
    if document is None or problems:
        raise InputError(in_order(problems))
    return _built(document, path)


def _built(document: Document, path: Path) -> Config:
    written: Any = plain(document.root)
    guards = written.get("guards", {})
    plain_fields = {
        key: written[key]
        for key in ("management_url", "allow_http", "verify", "live_name")
        if key in written
    }
    return Config(
        base=path.parent,
        path=path,
        sinks=_sinks(document, written["sinks"]) if "sinks" in written else _local_sink(),
        lock=_lock(document, written["lock"]) if "lock" in written else None,
        limits=Limits(**guards.get("max_revokes", {})),
        schedule=_schedule(written),
        hooks=_hooks(written.get("hooks", {})),
        audit_log=Path(written["audit_log"]) if "audit_log" in written else None,
        notify=_notify(written["notify"]) if "notify" in written else None,
        **plain_fields,
    )


def _schedule(written: Mapping[str, Any]) -> Schedule:
    every = str(written.get("schedule", {}).get("every", "1d"))
    span = timedelta(**{_UNITS[every[-1]]: int(every[:-1])})
    return Schedule(span, written.get("guards", {}).get("max_renewals"))


def _hooks(written: Mapping[str, list[list[str]]]) -> Hooks:
    return Hooks(**{when: tuple(map(tuple, commands)) for when, commands in written.items()})


def _notify(written: Mapping[str, str]) -> Notify:
    state = Path(written["state"]) if "state" in written else None
    url_env = written.get("url_env", "NETBIRD_TOKENS_NOTIFY_URL")
    return Notify(written.get("url"), url_env, written.get("format", "json"), state)


def _sinks(
    document: Document, written: Mapping[str, Mapping[str, Any]]
) -> dict[SinkName, SinkConfig]:
    return {
        SinkName(name): SinkConfig(
            SinkName(name),
            sink["type"],
            _options(sink, "sink"),
            document.source.at(descend(document.root, ("sinks", name))),
        )
        for name, sink in written.items()
    }


def _lock(document: Document, written: Mapping[str, Any]) -> LockConfig:
    where = document.source.at(descend(document.root, ("lock",)))
    return LockConfig(written["type"], _options(written, "lock"), where)


def _local_sink() -> dict[SinkName, SinkConfig]:
    name = SinkName("local")
    return {
        name: SinkConfig(
            name, "file", _options({"type": "file", "path": "secrets"}, "sink"), _BUILT_IN
        )
    }


def _options(written: Mapping[str, object], what: str) -> dict[str, object]:
    """The options of one type, as the schema's definition `<type>_<what>` completes them."""
    from reconciler.source.schema import defaults  # noqa: PLC0415 - imports JSON Schema, see `document`

    definition = f"{written['type']}_{what}".replace("-", "_")
    own = {key: value for key, value in written.items() if key != "type"}
    return {**defaults(SCHEMAS[Kind.CONFIG], definition), **own}
