"""The contract of every sink, on GitHub: a repository, an environment, an organisation of our fake.

There a consumer has the private key of the place, as a job has. In a real repository nobody can look inside,
so a round of its own goes through both.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from boxes import REGISTRATION
from fakes.github import Github
from fakes.relay import Relay, writes
from fakes.serving import Request

from reconciler.core.ports import Sink
from reconciler.core.receipts import Absent, Damaged, Stored
from reconciler.sinks import sink_type
from reconciler.sinks.github.reader import RECEIPT
from reconciler.sinks.github.seal import Lock
from reconciler.sinks.records import RecordSink
from reconciler.sinks.registrations import variable_of
from reconciler.surroundings import Surroundings
from reconciler.testing import SinkContract, put, receipt

REPOSITORY = os.environ.get("NETBIRD_TOKENS_TEST_GITHUB_REPO")
TOKEN = os.environ.get("NETBIRD_TOKENS_TEST_GITHUB_TOKEN", "")
API = os.environ.get("NETBIRD_TOKENS_TEST_GITHUB_API_URL", "https://api.github.com")
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
    folds_case: ClassVar[Literal[True]] = True

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
        return self.relay.troubled(*writes("/", after=when == "after"))

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


def go_round(home: Path, token: str, **options: object) -> None:
    """Everything that a run does to one place, and a stranger, too; removed in the end."""
    around = Surroundings(home, {"MINE": token}, allow_http=False)
    built = sink_type("github").build({"token_env": "MINE", **options}, around)
    assert isinstance(built, RecordSink)
    store: Any = built.store
    key, known = f"NETBIRD_TOKENS_TEST_{uuid.uuid4().hex.upper()}", built.inventory([]).entries
    variable = variable_of(REGISTRATION.set)
    try:
        built.preflight(key)
        assert isinstance(built.read(key), Absent)
        assert built.inventory([]).entries == known
        built.register(REGISTRATION)
        put(built, key, 1)
        held = built.read(key)
        assert isinstance(held, Stored)
        found = built.inventory([key.lower()])
        assert found.entries[key.lower()] == held
        assert found.registrations[REGISTRATION.set] == REGISTRATION
        built.amend(key, receipt(1, protect=False), held.version)
        assert isinstance(built.read(key), Stored)
        body = store.reader.lock().closed("by-somebody-else")
        body |= store.reach.of(store.reader, key, None)
        store.writes.send("PUT", f"secrets/{key}", body)
        assert isinstance(built.read(key), Damaged)
        put(built, key, 2)
        assert built.delete(key, receipt(2).token.id)
        assert isinstance(built.read(key), Absent)
    finally:
        for path in (f"secrets/{key}", f"variables/{RECEIPT}{key}", f"variables/{variable}"):
            store.writes.send("DELETE", path)


@pytest.mark.parametrize("path", PLACES)
def test_a_round_on_the_fake(path: str, tmp_path: Path) -> None:
    with Github().served() as github:
        go_round(tmp_path, github.token(), api_url=f"{github.url}/api/v3", **PLACES[path])
        place = github.places[path]
        assert (place.secrets, place.variables) == ({}, {})


def test_a_round_on_a_real_repository(tmp_path: Path) -> None:
    if not REPOSITORY:
        pytest.skip(
            "no real GitHub: set NETBIRD_TOKENS_TEST_GITHUB_REPO and _TOKEN (tests/README.md)"
        )
    go_round(tmp_path, TOKEN, api_url=API, repository=REPOSITORY)
