"""The command with GitHub and GitLab: what a job gets there, and what a plan sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from fakes.github import Github
from fakes.gitlab import Gitlab
from fakes.relay import Relay
from staging import SECRET, Stage

ENTRY = "{name: terraform, sinks: [{sink: forge, key: NB_PAT}]}"


@dataclass
class Forge:
    """A server with a relay before it; `read`: what a job gets in the variable or secret NB_PAT."""

    relay: Relay
    config: str
    read: Callable[[], str | None]

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [asked for asked in self.relay.asked if asked[0] != "GET"]


@contextmanager
def on_github(env: pytest.MonkeyPatch) -> Iterator[Forge]:
    with Github().served() as github, Relay(github.url).served() as relay:
        env.setenv("GH_TOKEN", github.token())
        place = github.places["repos/acme/infra/actions"]
        config = f"type: github, repository: acme/infra, api_url: '{relay.url}'"
        yield Forge(relay, config, lambda: place.read("NB_PAT"))


@contextmanager
def on_gitlab(env: pytest.MonkeyPatch, more: str = "") -> Iterator[Forge]:
    with Gitlab().served() as gitlab, Relay(gitlab.url).served() as relay:
        env.setenv("GITLAB_TOKEN", gitlab.token())
        config = f"type: gitlab, project: acme/infra, url: '{relay.url}'{more}"
        yield Forge(relay, config, lambda: gitlab.read("projects/acme%2Finfra", "NB_PAT"))


FORGES = {
    "github": on_github,
    "gitlab": on_gitlab,
    "hidden": lambda env: on_gitlab(env, ", hidden: true"),
}


@pytest.fixture(params=FORGES)
def forge(
    request: pytest.FixtureRequest, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Forge]:
    monkeypatch.setattr("reconciler.transaction.SETTLE", 0.0)
    with FORGES[request.param](monkeypatch) as forge:
        stage.config(f"sinks: {{forge: {{{forge.config}}}}}\n")
        yield forge


def test_from_the_first_plan_to_the_last_removal(stage: Stage, forge: Forge) -> None:
    stage.tokens_file(ENTRY)
    assert "forge:NB_PAT" in stage.run("plan").out
    assert forge.writes == []
    ran = stage.run("apply", "--yes")
    assert ran.code == 0, ran
    first = forge.read() or ""
    assert SECRET.fullmatch(first)
    forge.relay.asked.clear()
    assert "Nothing to do" in stage.run("apply", "--yes").out
    assert forge.writes == []
    stage.pass_time(minutes=20)  # until then an election would take the first for a rival's
    assert stage.run("rotate", "terraform", "--reason", "drill", "--yes").code == 0
    second = forge.read() or ""
    assert SECRET.fullmatch(second)
    assert second != first
    stage.pass_time(days=10)
    assert stage.run("apply", "--yes").code == 0  # the first token has had its overlap
    stage.tokens_file("{name: terraform, state: absent, reason: done}")
    assert stage.run("apply", "--yes").code == 0
    assert forge.read() is None
    assert first not in "".join(stage.said)
    assert second not in "".join(stage.said)


def test_a_hook_that_failed_is_called_again(stage: Stage, forge: Forge) -> None:
    """The receipt alone is written anew, and the secret stays."""
    config = f"sinks: {{forge: {{{forge.config}}}}}\nhooks: {{deploy: [[%s]]}}\n"
    stage.config(config % "'false'")
    stage.tokens_file(ENTRY)
    assert stage.run("apply", "--yes").code == 10
    first = forge.read()
    stage.config(config % "'true'")
    assert stage.run("apply", "--yes").code == 0
    assert "Nothing to do" in stage.run("apply", "--yes").out
    assert forge.read() == first


def test_doctor_proves_it_and_leaves_nothing_behind(stage: Stage, forge: Forge) -> None:
    stage.tokens_file(ENTRY)
    ran = stage.run("doctor")
    assert ran.code == 0, ran
    assert "sink forge: can be read and written" in ran.out
    assert forge.read() is None


def test_without_a_credential_nothing_is_sent_and_the_plan_is_incomplete(
    stage: Stage, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    stage.tokens_file(ENTRY)
    ran = stage.run("apply", "--yes")
    assert ran.code == 1, ran
    assert "there is no credential: G" in ran.out + ran.err
    assert forge.relay.asked == []
    assert stage.live() == {}


@pytest.mark.parametrize("forge", ["github"], indirect=True)
def test_one_place_in_two_spellings_is_refused(stage: Stage, forge: Forge) -> None:
    stage.tokens_file(
        "{name: one, sinks: [{sink: forge, key: NB_PAT}]}", "{name: two, sinks: [{sink: forge, key: nb_pat}]}"
    )
    ran = stage.run("validate")
    assert ran.code == 3
    assert "NB202" in ran.err
