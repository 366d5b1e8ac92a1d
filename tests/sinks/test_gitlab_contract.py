"""The contract of every sink, on GitLab: on our fake, and on a real server where one is given.

A consumer and a stranger use python-gitlab, so that the fake has to please a client that is not ours.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gitlab
import pytest
from fakes.gitlab import Gitlab
from fakes.relay import Relay, writes
from gitlab.exceptions import GitlabGetError

from reconciler.core.ports import Sink
from reconciler.core.receipts import Stored
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings
from reconciler.testing import SinkContract, put

URL = os.environ.get("NETBIRD_TOKENS_TEST_GITLAB_URL")
TOKEN = os.environ.get("NETBIRD_TOKENS_TEST_GITLAB_TOKEN", "")
PROJECT = os.environ.get("NETBIRD_TOKENS_TEST_GITLAB_PROJECT", "")


@dataclass
class Variables:
    """The store is one environment scope of a project or a group."""

    relay: Relay
    token: str
    home: Path
    options: dict[str, object]

    def __post_init__(self) -> None:
        self.signs_in_with = self.token
        client = gitlab.Gitlab(self.relay.upstream, private_token=self.token)
        many: Any = client.projects if "project" in self.options else client.groups
        owner = many.get(self.options.get("project") or self.options.get("group"), lazy=True)
        self.variables: Any = owner.variables
        self.scope = self.options.get("environment_scope", "*")
        self.filter = {"environment_scope": self.scope}

    def sink(self) -> Sink:
        defaults = {"environment_scope": "*", "masked": True, "protected": True, "hidden": False}
        options = {**defaults, "url": self.relay.url, **self.options}
        env = {"GITLAB_TOKEN": self.signs_in_with}
        return sink_type("gitlab").build(options, Surroundings(self.home, env, allow_http=False))

    def key(self, number: int) -> str:
        return f"NB_PAT_{number}"

    def value(self, key: str) -> str | None:
        try:
            return str(self.variables.get(key, filter=self.filter).value)
        except GitlabGetError as error:
            if error.response_code == 404:
                return None
            raise

    def plant(self, key: str, value: str) -> None:
        if self.value(key) is None:
            self.variables.create({"key": key, "value": value, "environment_scope": self.scope})
        else:
            self.variables.update(key, {"value": value, "filter": self.filter})

    def failing(self, when: Literal["before", "after"]) -> AbstractContextManager[object]:
        return self.relay.troubled(*writes("/variables", after=when == "after"))

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        self.signs_in_with = "nobody"
        yield
        self.signs_in_with = self.token


PLACES = {
    "project": {"project": "acme/infra"},
    "scope": {"group": "acme", "environment_scope": "production/*"},
}


@pytest.mark.parametrize("place", PLACES)
class TestFakeGitlab(SinkContract):
    @pytest.fixture
    def store(self, place: str, tmp_path: Path) -> Iterator[Variables]:
        with Gitlab().served() as server, Relay(server.url).served() as relay:
            yield Variables(relay, server.token(), tmp_path, dict(PLACES[place]))


class TestHidden(SinkContract):
    """Only a job can read the value; on a fake we can ask what it gets."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Variables]:
        with Gitlab().served() as server, Relay(server.url).served() as relay:
            yield Blind(relay, server.token(), tmp_path, {"project": "acme/infra", "hidden": True}, server)

    def test_a_value_that_somebody_wrote_over_ours_is_not_vouched_for(  # type: ignore[override]  # weaker
        self, store: Variables
    ) -> None:
        """Here it is: GitLab keeps the description, and shows nothing by which one could tell."""
        sink = store.sink()
        put(sink, store.key(1), 1)
        store.variables.update(store.key(1), {"value": "by-somebody-else"})
        assert isinstance(sink.read(store.key(1)), Stored)


@dataclass
class Blind(Variables):
    server: Gitlab

    def value(self, key: str) -> str | None:
        return self.server.read("projects/acme%2Finfra", key)

    def plant(self, key: str, value: str) -> None:
        """Somebody who makes it anew: who only changes the value cannot be told from us."""
        if self.value(key) is not None:
            self.variables.delete(key)
        self.variables.create({"key": key, "value": value, "masked_and_hidden": True})


if URL:

    class TestRealGitlab(SinkContract):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[Variables]:
            options = {"project": PROJECT, "environment_scope": f"netbird-tokens-test/{uuid.uuid4().hex}"}
            with Relay(URL).served() as relay:
                store = Variables(relay, TOKEN, tmp_path, options)
                yield store
                for each in store.variables.list(iterator=True):
                    if each.environment_scope == store.scope:
                        store.variables.delete(each.key, filter=store.filter)

else:

    def test_the_contract_on_a_real_server() -> None:
        pytest.skip(
            "no real GitLab: set NETBIRD_TOKENS_TEST_GITLAB_URL, _TOKEN and _PROJECT (tests/README.md)"
        )
