"""Two sinks that are one store under two names: the store is asked, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aws_stores import KINDS, AwsStore, refusal
from fakes.aws import ENV, REGION
from fakes.github import Github
from fakes.gitlab import Gitlab
from fakes.relay import Relay, Trouble
from staging import Stage

TWICE = 'NB114 the sink "two" leads to the store of the sink "one", at .netbird-tokens.yaml'
ENTRY = "{name: terraform, sinks: [{sink: one, key: NB_PAT}]}"
Config = Callable[[str, str], None]


@pytest.fixture
def gitlab(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with Gitlab().served() as gitlab, Relay(gitlab.url).served() as relay:
        monkeypatch.setenv("GITLAB_TOKEN", gitlab.token())
        stage.tokens_file(ENTRY)
        yield relay


@pytest.fixture
def github(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with Github().served() as github, Relay(github.url).served() as relay:
        monkeypatch.setenv("GH_TOKEN", github.token())
        stage.tokens_file(ENTRY)
        yield relay


def configure(stage: Stage, one: str, two: str) -> None:
    stage.config(f"sinks:\n  one: {{{one}}}\n  two: {{{two}}}\n")


def writes(relay: Relay) -> list[tuple[str, str]]:
    return [asked for asked in relay.asked if asked[0] != "GET"]


@pytest.mark.parametrize(
    ("one", "two"), [("project: acme/infra", "project: '42'"), ("group: '7'", "group: acme")]
)
def test_a_project_is_one_by_path_and_by_id(stage: Stage, gitlab: Relay, one: str, two: str) -> None:
    configure(stage, *(f"type: gitlab, url: '{gitlab.url}', {each}" for each in (one, two)))
    for command in (["plan"], ["apply", "--yes"], ["doctor"]):
        ran = stage.run(*command)
        assert ran.code == 3, ran
        assert TWICE in ran.out + ran.err
    assert [path for method, path in writes(gitlab) if "SET_" in path or "NB_PAT" in path] == []


def test_two_addresses_of_one_gitlab_are_one(stage: Stage, gitlab: Relay) -> None:
    again = gitlab.url.replace("127.0.0.1", "localhost")
    configure(stage, *(f"type: gitlab, url: '{url}', project: acme/infra" for url in (gitlab.url, again)))
    assert TWICE in stage.run("plan").err


def test_two_scopes_of_one_project_are_two_stores_and_nobody_is_asked(stage: Stage, gitlab: Relay) -> None:
    where = f"type: gitlab, url: '{gitlab.url}'"
    scoped = f"{where}, project: '42', environment_scope: production"
    configure(stage, f"{where}, project: acme/infra", scoped)
    assert stage.run("apply", "--yes").code == 0
    assert [path for _, path in gitlab.asked if "variables" not in path] == []


def test_a_store_that_does_not_say_is_not_written(stage: Stage, gitlab: Relay) -> None:
    configure(
        stage, *(f"type: gitlab, url: '{gitlab.url}', project: {each}" for each in ("acme/infra", "'42'"))
    )
    denied = Trouble("GET", "/projects/42", (403, b'{"message": "403 Forbidden"}'))
    with gitlab.troubled(denied):
        ran = stage.run("apply", "--yes")
    assert ran.code == 1, ran
    assert "403 Forbidden" in ran.out + ran.err
    assert stage.live() == {}
    assert writes(gitlab) == []


@pytest.mark.parametrize("owner", ["repository: acme/infra", "organization: acme"])
def test_two_addresses_of_one_github_are_one(stage: Stage, github: Relay, owner: str) -> None:
    again = github.url.replace("127.0.0.1", "localhost")
    configure(stage, *(f"type: github, api_url: '{url}', {owner}" for url in (github.url, again)))
    assert TWICE in stage.run("plan").err
    assert writes(github) == []


def test_two_repositories_are_two_stores(stage: Stage, github: Relay) -> None:
    where = f"type: github, api_url: '{github.url}'"
    configure(stage, f"{where}, repository: acme/infra", f"{where}, organization: acme")
    assert stage.run("plan").code == 0


@pytest.fixture(params=KINDS, ids=lambda kind: kind.TYPE)
def aws(
    request: pytest.FixtureRequest,
    stage: Stage,
    aws_relay: Relay,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> type[AwsStore]:
    """Region and endpoint come from the surroundings."""
    profiles = tmp_path / "aws.ini"
    keys = "".join(f"{n.lower()} = {v}\n" for n, v in ENV.items() if "_ACCESS_KEY" in n)
    profiles.write_text(f"[default]\nregion = {REGION}\n[profile infra]\nregion = {REGION}\n{keys}", "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(profiles))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_relay.url)
    stage.tokens_file("{name: terraform, sinks: [one]}")
    kind: type[AwsStore] = request.param
    return kind


TOLD = [f"region: {REGION}", "endpoint_url", "profile: infra", "path: netbird-tokens/a"]


@pytest.mark.parametrize("said", TOLD)
def test_an_account_is_one_wherever_it_is_told(
    stage: Stage, aws: type[AwsStore], aws_relay: Relay, said: str
) -> None:
    two = f"endpoint_url: '{aws_relay.url}'" if said == "endpoint_url" else said
    configure(stage, f"type: {aws.TYPE}", f"type: {aws.TYPE}, {two}")
    ran = stage.run("apply", "--yes")
    assert ran.code == 3, ran
    assert TWICE in ran.err
    assert stage.live() == {}


def test_another_region_or_path_is_another_store(stage: Stage, aws: type[AwsStore], aws_relay: Relay) -> None:
    configure(stage, f"type: {aws.TYPE}", f"type: {aws.TYPE}, path: elsewhere")
    assert stage.run("apply", "--yes").code == 0
    assert ("POST", "/") not in aws_relay.asked  # nobody asked for the account
    configure(stage, f"type: {aws.TYPE}", f"type: {aws.TYPE}, region: us-east-1")
    assert stage.run("plan").code == 0


def test_an_account_that_does_not_say_is_not_written(
    stage: Stage, aws: type[AwsStore], aws_relay: Relay
) -> None:
    configure(stage, f"type: {aws.TYPE}", f"type: {aws.TYPE}, region: {REGION}")
    with aws_relay.troubled(Trouble("POST", "/", refusal("AccessDenied", "not you", 403))):
        ran = stage.run("apply", "--yes")
    assert ran.code == 1, ran
    assert "cannot read the account" in ran.out + ran.err
    assert stage.live() == {}
