"""Around every sink of a run: whatever it raises, the run learns what a sink may say.

A type of another distribution may forget that a connection can break. Its exception becomes the answer
that promises least, and is told by its type alone: in its text may stand what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import Inventory, Lookup, Receipt, Registration, Version
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId
from reconciler.errors import (
    NetbirdTokensError,
    SinkError,
    SinkRefused,
    SinkUnread,
    SinkUnsure,
    UsageError,
)

_Asked = ParamSpec("_Asked")
_Told = TypeVar("_Told")


@contextmanager
def told_as(kind: type[NetbirdTokensError], where: str, *known: type[Exception]) -> Iterator[None]:
    """Nothing leaves it but `kind` and what is `known`."""
    try:
        yield
    except (kind, *known):
        raise
    except NetbirdTokensError as error:
        text, hint = error.message, error.hint
    except Exception as error:  # noqa: BLE001 - other people's code: it may raise anything
        text = f"{where} failed with an unexpected {type(error).__name__}"
        hint = "tell whoever wrote that sink type"
    else:
        return
    raise kind(text, hint=hint)  # out here it drags no context along


def told_by(
    does: Callable[_Asked, _Told],
    kind: type[NetbirdTokensError],
    where: str,
    *known: type[Exception],
) -> Callable[_Asked, _Told]:
    """The same, of which nothing is raised but `kind` and what is `known`."""

    def call(*args: _Asked.args, **named: _Asked.kwargs) -> _Told:
        with told_as(kind, where, *known):
            return does(*args, **named)

    return call


@dataclass(frozen=True, slots=True)
class Guarded:
    """A sink of the type `name` that keeps to the port."""

    sink: Sink
    name: str

    @property
    def power(self) -> Power:
        with self._reading("power"):
            return self.sink.power

    def inventory(self, keys: Collection[str]) -> Inventory:
        with self._reading("inventory"):
            return self.sink.inventory(keys)

    def read(self, key: str) -> Lookup:
        with self._reading("read"):
            return self.sink.read(key)

    def preflight(self, key: str) -> None:
        with told_as(SinkRefused, self._doing("preflight"), UsageError):
            self.sink.preflight(key)

    def register(self, registration: Registration) -> None:
        with self._writing("register"):
            self.sink.register(registration)

    def put(self, key: str, secret: Secret, receipt: Receipt, expect: Version) -> None:
        with self._writing("put"):
            self.sink.put(key, secret, receipt, expect)

    def amend(self, key: str, receipt: Receipt, expect: Version) -> None:
        with self._writing("amend"):
            self.sink.amend(key, receipt, expect)

    def delete(self, key: str, token: TokenId) -> bool:
        with self._writing("delete"):
            return self.sink.delete(key, token)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        with told_as(SinkUnread, self._doing(what), UsageError):
            yield

    @contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        with told_as(SinkUnsure, self._doing(what), SinkError):
            yield

    def _doing(self, what: str) -> str:
        return f"{what} of the sink type {self.name}"
