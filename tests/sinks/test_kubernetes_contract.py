"""The contract of every sink, on Kubernetes: on our fake, and on a real server where one is given.

A consumer and a stranger use plain HTTP; `test_kubernetes.py` holds the fake against kubectl.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from clusters import NO_REAL, REAL, Site, fake_site, real_site
from fakes.relay import writes

from reconciler.core.ports import Sink
from reconciler.testing import SinkContract


@dataclass
class Secrets:
    """A Secret for each key, some with two fields; or one for all."""

    site: Site

    @property
    def shared(self) -> str | None:
        return self.site.options.get("secret")  # type: ignore[return-value]  # written below

    def sink(self) -> Sink:
        return self.site.sink()

    def key(self, number: int) -> str:
        if self.shared:
            return f"NB_{number}"
        return f"pair#F{number}" if number > 1 else "pair"

    def spot(self, key: str) -> tuple[str, str]:
        name, _, field = key.partition("#")
        return (self.shared, key) if self.shared else (name, field or "token")

    def value(self, key: str) -> str | None:
        return self.site.server.value(*self.spot(key))

    def plant(self, key: str, value: str) -> None:
        name, field = self.spot(key)
        self.site.server.write(name, {field: value})

    def failing(self, when: Literal["before", "after"]) -> AbstractContextManager[object]:
        return self.site.relay.troubled(*writes("/secrets", after=when == "after"))

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        self.site.signs_in_with, before = "nobody", self.site.signs_in_with
        yield
        self.site.signs_in_with = before


class TestFakeOwn(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Secrets]:
        with fake_site(tmp_path) as site:
            yield Secrets(site)


class TestFakeShared(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Secrets]:
        with fake_site(tmp_path, secret="netbird-mgmt-api-key") as site:
            yield Secrets(site)


if REAL:

    class TestRealOwn(SinkContract):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[Secrets]:
            with real_site(tmp_path) as site:
                yield Secrets(site)

    class TestRealShared(SinkContract):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[Secrets]:
            with real_site(tmp_path, secret="netbird-mgmt-api-key") as site:
                yield Secrets(site)

else:

    def test_the_contract_on_a_real_server() -> None:
        pytest.skip(NO_REAL)
