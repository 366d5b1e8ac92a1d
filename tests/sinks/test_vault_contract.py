"""The contract of every sink, on Vault: always on our fake, and on a real server where one is given.

A consumer and a stranger use hvac, so that the fake has to please a client that is not ours.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import hvac
import pytest
from fakes.relay import Relay, writes
from fakes.vault import ROOT, Vault
from hvac.exceptions import InvalidPath

from reconciler.core.ports import Sink
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings
from reconciler.testing import SinkContract

ADDRESS = os.environ.get("NETBIRD_TOKENS_TEST_VAULT_ADDR")
TOKEN = os.environ.get("NETBIRD_TOKENS_TEST_VAULT_TOKEN", "")


@dataclass
class Records:
    """The store is a folder of the mount `secret`."""

    relay: Relay
    token: str
    folder: str
    home: Path

    def __post_init__(self) -> None:
        self.kv: Any = hvac.Client(url=self.relay.upstream, token=self.token).secrets.kv.v2
        self.signs_in_with = self.token

    def sink(self) -> Sink:
        options = {
            "address": self.relay.url,
            "mount": "secret",
            "path": self.folder,
            "value_field": "token",
            "receipt_field": "netbird-tokens",
            "old_versions": "destroy",
        }
        env = {"VAULT_TOKEN": self.signs_in_with}
        return sink_type("vault").build(options, Surroundings(self.home, env, allow_http=False))

    def key(self, number: int) -> str:
        return f"set/{number}"

    def value(self, key: str) -> str | None:
        try:
            path = f"{self.folder}/{key}"
            read = self.kv.read_secret_version(path=path, raise_on_deleted_version=True)
        except InvalidPath:
            return None
        return str(read["data"]["data"]["token"])

    def plant(self, key: str, value: str) -> None:
        self.kv.create_or_update_secret(path=f"{self.folder}/{key}", secret={"token": value})

    def failing(self, when: Literal["before", "after"]) -> AbstractContextManager[object]:
        return self.relay.troubled(*writes("/secret/", after=when == "after"))

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        self.signs_in_with = "nobody"
        yield
        self.signs_in_with = self.token

    def tidy(self, folder: str) -> None:
        try:
            names = self.kv.list_secrets(path=folder)["data"]["keys"]
        except InvalidPath:
            return
        for name in names:
            if name.endswith("/"):
                self.tidy(folder + name)
            else:
                self.kv.delete_metadata_and_all_versions(path=folder + name)


class TestFakeVault(SinkContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Records]:
        with Vault().served() as vault, Relay(vault.url).served() as relay:
            yield Records(relay, ROOT, "netbird-tokens", tmp_path)


if ADDRESS:

    class TestRealVault(SinkContract):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Iterator[Records]:
            with Relay(ADDRESS).served() as relay:
                records = Records(relay, TOKEN, f"netbird-tokens-test/{uuid.uuid4().hex}", tmp_path)
                yield records
                records.tidy(f"{records.folder}/")

else:

    def test_the_contract_on_a_real_server() -> None:
        pytest.skip(
            "no real Vault: set NETBIRD_TOKENS_TEST_VAULT_ADDR and _TOKEN (tests/README.md)"
        )
