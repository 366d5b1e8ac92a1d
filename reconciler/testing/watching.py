"""Whatever a test does to a sink: nothing that the sink says, logs or raises tells a secret."""

from __future__ import annotations

import base64
import copy
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import Any, cast

import pytest

from reconciler.core.ports import Power, Sink
from reconciler.errors import NetbirdTokensError
from reconciler.testing.contents import FOREIGN, TELLING
from reconciler.testing.store import StoreUnderTest

DUMPS: tuple[Callable[[object], object], ...] = (repr, str, vars, copy.copy, pickle.dumps)


class Watched:
    """The store under test; every exception of its sinks is kept."""

    def __init__(self, store: StoreUnderTest) -> None:
        self.store = store
        self.sinks: list[Sink] = []
        self.said: list[str] = []
        self.key, self.value, self.plant = store.key, store.value, store.plant
        self.failing, self.unreadable = store.failing, store.unreadable

    def sink(self) -> Sink:
        made = self.store.sink()
        self.sinks.append(made)
        return cast("Sink", _Overheard(made, self.said))

    @property
    def power(self) -> Power:
        return self.store.sink().power

    def dumped(self) -> list[str]:
        """All that can be got out of the sinks; some cannot be dumped, which tells nothing either."""
        found = []
        for sink in self.sinks:
            for dump in DUMPS:
                with suppress(Exception):
                    found.append(repr(dump(sink)))
        return found


class _Overheard:
    def __init__(self, sink: Sink, said: list[str]) -> None:
        self._sink, self._said = sink, said

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._sink, name)
        return self._heard(found) if callable(found) else found

    def _heard(self, does: Callable[..., object]) -> Callable[..., object]:
        @wraps(does)
        def call(*args: object, **named: object) -> object:
            try:
                return does(*args, **named)
            except BaseException as error:
                self._said += [*traceback.format_exception(error), repr(error), repr(vars(error))]
                if isinstance(error, NetbirdTokensError):
                    self._said += [error.message, error.hint]
                raise

        return call


class Watching:
    """The tests ask for the store as `watched`."""

    @pytest.fixture
    def watched(
        self,
        store: StoreUnderTest,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> Iterator[Watched]:
        caplog.set_level(logging.DEBUG)
        watched = Watched(store)
        yield watched
        logs = [_logged(each) for each in caplog.get_records("call")]
        _check_tells_nothing([*watched.said, *watched.dumped(), *logs, *capfd.readouterr()])


def _logged(record: logging.LogRecord) -> str:
    return f"{logging.Formatter().format(record)} {vars(record)}"


def _check_tells_nothing(said: list[str]) -> None:
    text = "\n".join(said)
    for needle in (TELLING, FOREIGN):
        for form in forms(needle):
            assert form not in text, f"a secret is told: {_around(text, form)}"


def forms(plain: str) -> list[str]:
    """A text as it is, and as one finds it in headers, bodies and addresses."""
    raw = plain.encode()
    percent = "".join(f"%{byte:02X}" for byte in raw)
    quoted = "".join(c if c.isalnum() or c in "-._~" else f"%{ord(c):02X}" for c in plain)
    return list(
        dict.fromkeys([plain, quoted, percent, raw.hex(), raw.hex().upper(), *_base64(raw)])
    )


def _base64(raw: bytes) -> Iterator[str]:
    """Wherever in a longer text it stands: only the letters that no neighbour changes."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        sure = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield from (sure, sure.replace("+", "-").replace("/", "_"))


def _around(text: str, form: str) -> str:
    at = text.index(form)
    return repr(text[max(0, at - 120) : at + len(form) + 40])
