"""Both stores of AWS as the contract needs them: the sink, a consumer, a stranger, and trouble."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import pytest
from fakes.aws import ENV, REGION, client, empty, moto
from fakes.relay import Relay, Trouble

from reconciler.core.ports import Sink
from reconciler.core.receipts import Inventory
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings

WAITS = (
    "reconciler.sinks.aws.versions.LAGS",
    "reconciler.sinks.aws.calls.PAUSES",
)


def refusal(code: str, text: str = "", status: int = 400) -> tuple[int, bytes]:
    """An error as AWS answers it."""
    return status, json.dumps({"__type": code, "Message": text}).encode()


@dataclass
class AwsStore:
    """One path of one service behind a relay; `upstream`: None for AWS itself."""

    relay: Relay
    upstream: str | None
    folder: str = "netbird-tokens"
    options: dict[str, object] = field(default_factory=dict)
    region: str = REGION

    TYPE: ClassVar[str]
    SERVICE: ClassVar[str]
    READS: ClassVar[tuple[str, ...]]
    WRITES: ClassVar[tuple[str, ...]]
    DEFAULTS: ClassVar[dict[str, object]]

    def __post_init__(self) -> None:
        self.api: Any = client(self.SERVICE, self.upstream, self.region)

    def sink(self) -> Sink:
        where = {"path": self.folder, "region": self.region, "endpoint_url": self.relay.url}
        options = {**where, **self.DEFAULTS, **self.options}
        around = Surroundings(Path(), {}, allow_http=False)
        plain = sink_type(self.TYPE).build(options, around)
        return plain if self.upstream else cast("Sink", ByName(plain, tuple(map(self.key, range(25)))))

    def key(self, number: int) -> str:
        return f"set/{number}"

    def trouble(
        self, *operations: str, answer: Any = "drop", after: bool = False
    ) -> AbstractContextManager[object]:
        return self.relay.troubled(*(Trouble("POST", f".{each}", answer, after=after) for each in operations))

    def failing(self, when: Literal["before", "after"]) -> AbstractContextManager[object]:
        return self.trouble(*self.WRITES, after=when == "after")

    @contextmanager
    def unreadable(self) -> Iterator[None]:
        with self.trouble(*self.READS, answer=refusal("AccessDeniedException", "not authorized")):
            yield

    def asked(self) -> list[str]:
        """The operations that went through the relay."""
        return [path.rsplit(".", 1)[-1] for _, path in self.relay.asked]


@dataclass(frozen=True)
class ByName:
    """A sink that asks by name for all that the contract may have put: a list of AWS is minutes old."""

    plain: Any
    keys: tuple[str, ...]

    def inventory(self, keys: Collection[str]) -> Inventory:
        return self.plain.inventory({*keys, *self.keys})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


class Secrets(AwsStore):
    TYPE = "aws-secretsmanager"
    SERVICE = "secretsmanager"
    READS = ("GetSecretValue", "BatchGetSecretValue", "DescribeSecret", "ListSecrets")
    WRITES = ("CreateSecret", "PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret")
    DEFAULTS: ClassVar = {"value_field": "token", "receipt_field": "netbird-tokens"}

    def name(self, key: str) -> str:
        return f"{self.folder}/{key}"

    def value(self, key: str) -> str | None:
        named = {"SecretId": self.name(key), "VersionStage": "AWSCURRENT"}
        try:
            text = self.api.get_secret_value(**named)["SecretString"]
        except (
            self.api.exceptions.ResourceNotFoundException,
            self.api.exceptions.InvalidRequestException,  # it is going to be deleted
        ):
            return None
        try:
            return json.loads(text).get("token")
        except ValueError:
            return str(text)

    def plant(self, key: str, value: str) -> None:
        """In our field, where there is one: the console shows fields, and people edit one."""
        try:
            held = self.api.get_secret_value(SecretId=self.name(key), VersionStage="AWSCURRENT")
        except self.api.exceptions.ResourceNotFoundException:
            self.api.create_secret(Name=self.name(key), SecretString=value)
            return
        text = held["SecretString"]
        said = json.dumps({**json.loads(text), "token": value}) if text.startswith("{") else value
        self.api.put_secret_value(SecretId=self.name(key), SecretString=said)

    def tidy(self) -> None:
        pages = self.api.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [self.folder]}]
        )
        names = {each["Name"] for page in pages for each in page["SecretList"]}
        for name in names | {self.name(".registrations"), *(self.name(self.key(n)) for n in range(25))}:
            self.api.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


class Parameters(AwsStore):
    TYPE = "aws-ssm"
    is_slow: ClassVar[Literal[True]] = True
    SERVICE = "ssm"
    READS = ("GetParameter", "DescribeParameters")  # and what begins so
    WRITES = ("PutParameter", "DeleteParameter")
    DEFAULTS: ClassVar = {"tier": "Standard"}

    def name(self, key: str) -> str:
        return f"/{self.folder}/{key}"

    def value(self, key: str) -> str | None:
        try:
            return str(self.api.get_parameter(Name=self.name(key), WithDecryption=True)["Parameter"]["Value"])
        except self.api.exceptions.ParameterNotFound:
            return None

    def plant(self, key: str, value: str) -> None:
        self.api.put_parameter(Name=self.name(key), Value=value, Type="SecureString", Overwrite=True)

    def tidy(self) -> None:
        below = {"Path": f"/{self.folder}", "Recursive": True}
        pages = self.api.get_paginator("get_parameters_by_path").paginate(**below)
        for name in [each["Name"] for page in pages for each in page["Parameters"]]:
            self.api.delete_parameter(Name=name)


KINDS: tuple[type[AwsStore], ...] = (Secrets, Parameters)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture
def aws_relay(aws_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """An empty AWS behind a relay; nothing of this machine's own account is looked at."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    for name in WAITS:
        monkeypatch.setattr(name, (0.0, 0.0, 0.0))
    empty(aws_server)
    with Relay(aws_server).served() as relay:
        yield relay


def store_at(relay: Relay, kind: type[AwsStore], **options: object) -> Any:
    return kind(relay, relay.upstream, options=options)
