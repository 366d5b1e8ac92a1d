"""The composition root: the one place that reads the environment and puts the parts together.

A value comes from the flag, else the environment, else the config, else the default (DESIGN §7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from reconciler.api.endpoint import Endpoint
from reconciler.api.service import HttpTokenApi, HttpTokenReader, reader, writer
from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink, SinkReader
from reconciler.core.receipts import SinkName
from reconciler.core.secret import Secret
from reconciler.core.world import World
from reconciler.errors import InputError, SinkUnread, Unauthenticated, UsageError
from reconciler.gather import NOTHING_ELSE, Beyond, Sources, gather
from reconciler.locks import Hold, Holder, Lock, lock_of, this_run
from reconciler.signals import Leaving
from reconciler.sinks import SinkType, guarded
from reconciler.sinks.apart import Unproved, asked
from reconciler.source.build import Loaded, load_set
from reconciler.source.config import Config, default_config, load_config
from reconciler.source.credential import read_credential
from reconciler.source.overlaps import overlaps
from reconciler.surroundings import Surroundings
from reconciler.transaction import Ports

CLOUD: Final = "https://api.netbird.io"
_CREDENTIALS: Final = ("NB_PAT", "NETBIRD_API_TOKEN")
_URLS: Final = ("NB_MANAGEMENT_URL", "NETBIRD_API_URL")
_SKEW: Final = timedelta(minutes=1)
CONFIG: Final = ".netbird-tokens.yaml"
TOKEN_FILES: Final = ("tokens.yaml", "tokens.yml", "tokens")


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says about files, server and credential; None where it is silent."""

    files: tuple[Path, ...] = ()
    config: Path | None = None
    management_url: str | None = None
    token_file: Path | None = None
    lock_timeout: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One value, and where it came from; a credential's value is never here."""

    name: str
    value: str
    source: str


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """Everything a command works with; each part is made when first asked for.

    Attributes:
        now: This machine's clock; good for warnings, never for ages.
    """

    where: Where
    env: Mapping[str, str]
    folder: Path = field(default_factory=Path)
    now: Callable[[], datetime] = _utc

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The token files: as given, else `tokens.yaml` or `tokens/` in the working directory."""
        if self.where.files:
            return self.where.files
        found = [self.folder / name for name in TOKEN_FILES if (self.folder / name).exists()]
        if not found:
            raise UsageError(
                "there is no tokens.yaml and no folder tokens here",
                hint="name the file with --file, or make one with `netbird-tokens init`",
            )
        return (found[0],)

    @cached_property
    def config_path(self) -> Path | None:
        """The config file, if there is one; it lies beside the token file."""
        if self.where.config is not None:
            return self.where.config
        try:
            beside = self.files[0].parent
        except UsageError:
            beside = self.folder
        return beside / CONFIG if (beside / CONFIG).exists() else None

    @cached_property
    def config(self) -> Config:
        """What operators decided, or the default: one folder of secrets beside the token file."""
        if self.config_path is not None:
            return load_config(self.config_path)
        try:
            return default_config(self.files[0].parent)
        except UsageError:
            return default_config(self.folder)

    @cached_property
    def _sink_types(self) -> dict[SinkName, SinkType]:
        """The type of each configured sink. Raises InputError if two of these are one store."""
        sinks, around = self.config.sinks, self._surroundings
        types = {name: guarded(sink.type) for name, sink in sinks.items()}
        stores = {n: (s.type, *types[n].store(s.options, around)) for n, s in sinks.items()}
        problems = overlaps(sinks.values(), stores)
        if problems:
            raise InputError(problems)
        return types

    @cached_property
    def keys(self) -> dict[SinkName, KeyRule]:
        """How keys look in each sink."""
        types, base = self._sink_types, self.config.base
        rules = {name: types[name].keys(s.options) for name, s in self.config.sinks.items()}
        return {
            name: replace(rule, folder=str((base / rule.folder).resolve())) if rule.folder else rule
            for name, rule in rules.items()
        }

    @cached_property
    def sinks(self) -> dict[SinkName, Sink]:
        """Every configured sink."""
        types, around = self._sink_types, self._surroundings
        return {n: types[n].build(s.options, around) for n, s in self.config.sinks.items()}

    @property
    def _surroundings(self) -> Surroundings:
        return Surroundings(self.config.base, self.env, self.config.allow_http)

    @cached_property
    def loaded(self) -> Loaded:
        """The set, and the warnings of its files."""
        return load_set(self.files, self.config, self.keys, self.now().date())

    @cached_property
    def management_url(self) -> Setting:
        if self.where.management_url:
            return Setting("management_url", self.where.management_url, "--management-url")
        for name in _URLS:
            if self.env.get(name):
                return Setting("management_url", self.env[name], name)
        if self.config.management_url:
            return Setting("management_url", self.config.management_url, str(self.config_path))
        return Setting("management_url", CLOUD, "default")

    @cached_property
    def credential_source(self) -> str:
        """Where the credential comes from; empty when there is none."""
        if self.where.token_file is not None:
            return f"--token-file {self.where.token_file}"
        return next((name for name in _CREDENTIALS if self.env.get(name)), "")

    @cached_property
    def endpoint(self) -> Endpoint:
        """Server and credential. Raises Unauthenticated if there is no credential."""
        if not self.credential_source:
            raise Unauthenticated(
                "there is no credential",
                hint="put a NetBird personal access token into NB_PAT, or name a file of mode 0600 "
                "with --token-file",
            )
        if self.where.token_file is not None:
            secret = read_credential(self.where.token_file)
        else:
            secret = Secret(self.env[self.credential_source].strip())
        return Endpoint(self.management_url.value, secret, self.config.allow_http)

    def reader(self) -> HttpTokenReader:
        """A client that can only GET."""
        return reader(self.endpoint)

    def writer(self) -> HttpTokenApi:
        return writer(self.endpoint)

    def look(self, api: HttpTokenReader, beyond: Beyond = NOTHING_ELSE) -> World:
        """Read everything that the set needs, once, and what was asked for beyond it."""
        sources = Sources(api, self.apart(), self.endpoint.url)
        return gather(self.loaded.token_set, sources, beyond)

    def apart(self) -> dict[SinkName, SinkReader]:
        """Every sink to read; a store that cannot say whether it is another's, too, is unread.

        Raises:
            InputError: Two of them are one store.
        """
        around, sinks = self._surroundings, self.config.sinks
        found = asked({n: (self._sink_types[n], s.options) for n, s in sinks.items()}, around)
        unsure = {n: Unproved(each) for n, each in found.items() if isinstance(each, SinkUnread)}
        told = {n: each for n, each in found.items() if not isinstance(each, SinkUnread)}
        stores = {n: (sinks[n].type, *each) for n, each in told.items()}
        problems = overlaps([each for n, each in sinks.items() if n in stores], stores)
        if problems:
            raise InputError(problems)
        return {**self.sinks, **unsure}

    def configured_lock(self) -> Lock | None:
        """The lock that the config names; nothing is sent. Raises UsageError or LockDenied."""
        lock = self.config.lock
        if lock is None:
            return None
        return lock_of(lock.type, lock.options, self._surroundings)

    def this_run(self, operation: str) -> Holder:
        """Ourselves, as others see us while we hold the lock; under a new id each time."""
        return this_run(operation, self.env, self.now())

    @contextmanager
    def lock(self, operation: str, say: Callable[[str], None]) -> Iterator[Callable[[], str]]:
        """Hold the configured lock, from the first look to the last write.

        Yields a function that gives it back at once, for one who cannot wait for the end of the block.

        Raises:
            LockError: It is not ours, so nothing was begun.
        """
        lock = self.configured_lock()
        if lock is None:
            yield _nothing_held
            return
        hold = Hold(lock, lambda: self.this_run(operation), say)
        with Leaving(hold.give_back, say) as leaving:
            hold.take(self.where.lock_timeout)
            leaving.arm()
            yield leaving.let_go

    def skew(self, server_time: datetime) -> timedelta | None:
        """How far this machine's clock is off the server's, if that is worth a word."""
        off = abs(self.now() - server_time)
        return off if off > _SKEW else None

    def ports(self, api: HttpTokenApi) -> Ports:
        return Ports(api, self.sinks, api.authenticates if self.config.verify else None)


@contextmanager
def no_lock() -> Iterator[Callable[[], str]]:
    """For a part of a run whose other parts work beside it."""
    yield _nothing_held


def _nothing_held() -> str:
    return ""
