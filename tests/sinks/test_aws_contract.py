"""The contract of every sink, on both of AWS: always on moto, and on a real account where one is given."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import ClassVar

import pytest
from aws_stores import AwsStore, Parameters, Secrets, store_at
from fakes.aws import Signing, client
from fakes.relay import Relay

from reconciler.testing import SinkContract

REGION_GIVEN = os.environ.get("NETBIRD_TOKENS_TEST_AWS_REGION")


class TestSecretsManagerOfMoto(SinkContract):
    @pytest.fixture
    def store(self, aws_relay: Relay) -> Secrets:
        return store_at(aws_relay, Secrets)


class TestParameterStoreOfMoto(SinkContract):
    @pytest.fixture
    def store(self, aws_relay: Relay) -> Parameters:
        return store_at(aws_relay, Parameters)


if REGION_GIVEN:

    class OnAccount(SinkContract):
        """Everything stands below a path of its own, and is removed."""

        KIND: ClassVar[type[AwsStore]]

        @pytest.fixture
        def store(self) -> Iterator[AwsStore]:
            kind, folder = self.KIND, f"netbird-tokens-test/{uuid.uuid4().hex}"
            upstream = client(kind.SERVICE, None, REGION_GIVEN).meta.endpoint_url
            with Signing(upstream, service=kind.SERVICE, region=REGION_GIVEN).served() as relay:
                store = kind(relay, None, folder, region=REGION_GIVEN)
                yield store
                store.tidy()

    class TestSecretsManager(OnAccount):
        KIND = Secrets

    class TestParameterStore(OnAccount):
        KIND = Parameters

    del OnAccount

else:

    def test_the_contract_on_a_real_account() -> None:
        pytest.skip("no AWS account: set NETBIRD_TOKENS_TEST_AWS_REGION (tests/README.md)")
