"""The contract of every sink, on GitHub: a repository, an environment, an organisation of our fake.

On the fake a consumer has the private key of the place, as a job has; on a real one nobody can look inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from fakes.github import Github
from fakes.relay import Relay, Trouble
from fakes.serving import Request

from reconciler.core.ports import Sink
from reconciler.sinks import sink_type
from reconciler.sinks.github.seal import Lock
from reconciler.surroundings import Surroundings
from reconciler.testing import SinkContract

PLACES = {
    "repos/acme/infra/actions": {"repository": "acme/infra"},
    "repos/acme/infra/environments/production%2Feu": {
        "repository": "acme/infra",
        "environment": "production/eu",
    },
    "orgs/acme/actions": {"organization": "acme", "repositories": ["infra", "web"]},
}


@dataclass
class Secrets:
    """The store is one place of the fake."""

    github: Github
    relay: Relay
    path: str
    home: Path

    def __post_init__(self) -> None:
        self.token = self.github.token()
        self.signs_in_with = self.token

    def sink(self) -> Sink:
        options = {"api_url": self.relay.url, **PLACES[self.path]}
        env = {"GH_TOKEN": self.signs_in_with}
        return sink_type("github").build(options, Surroundings(self.home, env, allow_http=False))

    def key(self, number: int) -> str:
        return f"NB_PAT_{number}"

    def value(self, key: str) -> str | None:
        return self.github.places[self.path].read(key)

    def plant(self, key: str, value: str) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        where = f"/{self.path}/secrets"
        said = self.github.handle(Request("GET", f"{where}/public-key", {}, headers, None)).document
        body = {**Lock(said["key_id"], said["key"]).closed(value), "visibility": "all"}
        self.github.handle(Request("PUT", f"{where}/{key}", {}, headers, body))

    def failing(self, when: Literal["before", "after"]) -> AbstractContextManager[object]:
        return self.relay.troubled(Trouble("PUT", "/secrets/", after=when == "after"))

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        self.signs_in_with = self.github.token()
        self.github.tokens[self.signs_in_with] = {}  # may see nothing: a 404 everywhere
        yield
        self.signs_in_with = self.token


@pytest.mark.parametrize("path", PLACES)
class TestFakeGithub(SinkContract):
    @pytest.fixture
    def store(self, path: str, tmp_path: Path) -> Iterator[Secrets]:
        with Github().served() as github, Relay(github.url).served() as relay:
            yield Secrets(github, relay, path, tmp_path)
