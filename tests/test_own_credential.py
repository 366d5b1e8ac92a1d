"""The credential that we run with, when it is one of the tokens that we manage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from staging import SECRET, Stage

from reconciler.emulator import Delay, Fault
from reconciler.emulator import Status as Answer

HEAD = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: platform\n"
OURS = "{name: reconciler, expires_in: 30}"
OTHER = "{name: deploy, user: ci-bot, expires_in: 30}"


@pytest.fixture
def managed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A run uses the token that the sink holds, as a pipeline would."""
    stage.tokens_file(OURS, OTHER, head=HEAD)
    assert stage.run("apply", "--yes").code == 0
    monkeypatch.setenv("NB_PAT", Path("secrets/platform/reconciler").read_text("utf-8"))
    return stage


def used_by(stage: Stage) -> list[tuple[str, str, str]]:
    """Method, path and the id of the credential of every request, in order."""
    return [(r.method, r.path, r.token or "") for r in stage.emulator.requests]


def test_it_is_renewed_last_and_the_run_goes_on_with_its_successor(managed: Stage) -> None:
    (old,) = managed.live(managed.us)["reconciler"]
    managed.run("apply", "--yes")
    managed.pass_time(days=21)
    managed.tokens_file(OURS, OTHER, "{name: gone, user: ci-bot, expires_in: 30}", head=HEAD)
    managed.emulator.requests.clear()
    others = f"/api/users/{managed.bot}/tokens"  # slow, so that nothing but our order makes them first
    managed.emulator.faults.add(Fault(Delay(0.3), "POST", others, times=None))
    ran = managed.run("apply", "--yes")
    assert ran.code == 0, ran.err
    posts = [(path, token) for method, path, token in used_by(managed) if method == "POST"]
    assert [path.split("/")[3] for path, _ in posts] == [managed.bot, managed.bot, managed.us]
    assert {token for _, token in posts} == {old}
    new = next(id_ for id_ in managed.live(managed.us)["reconciler"] if id_ != old)
    assert used_by(managed)[-1][2] == new  # the proof that the server lets it in
    assert old in managed.live(managed.us)["reconciler"]  # both work until the overlap has passed


def test_a_compromised_one_is_replaced_and_revoked_in_one_run(managed: Stage) -> None:
    (old,) = managed.live(managed.us)["reconciler"]
    managed.pass_time(hours=1)
    ran = managed.run("rotate", "reconciler", "--reason", "leaked", "--compromised", "--yes")
    assert ran.code == 0, ran.err
    (new,) = managed.live(managed.us)["reconciler"]
    assert new != old
    assert ("DELETE", f"/api/users/{managed.us}/tokens/{old}", new) in used_by(managed)


@pytest.mark.parametrize(("how", "fate"), [((), "superseded, gone by"), (("--compromised",), "revoked")])
def test_a_run_whose_credential_has_a_successor_says_who_needs_it_and_where_it_is(
    managed: Stage, how: tuple[str, ...], fate: str
) -> None:
    (old,) = managed.live(managed.us)["reconciler"]
    managed.pass_time(hours=1)
    argv = ("rotate", "reconciler", "deploy", "--reason", "leaked", "--yes", *how)
    ran = managed.run(*argv, "--report", "json=r.json", "--report", "markdown=r.md")
    document = json.loads(Path("r.json").read_text("utf-8"))
    told = {result["name"]: result["text"] for result in document["results"]}
    assert told["deploy"] == ""
    assert f"signed in with, or may have, is {fate}" in told["reconciler"]
    assert f"({old}): whatever holds it, such as NB_PAT, needs the new secret" in told["reconciler"]
    assert told["reconciler"].endswith("from local:platform/reconciler")
    assert f"  now yours to do: {told['reconciler']}\n" in ran.out[ran.out.index("Applied:") :]
    assert fate in Path("r.md").read_text("utf-8")
    assert not SECRET.search("".join(managed.said) + json.dumps(document))


def test_a_successor_that_the_server_refuses_is_not_switched_to(managed: Stage) -> None:
    (old,) = managed.live(managed.us)["reconciler"]
    managed.pass_time(hours=1)
    refused = Answer(401, "token invalid")
    managed.emulator.faults.add(Fault(refused, "GET", "/api/users", skip=1, times=9))
    ran = managed.run("rotate", "reconciler", "--reason", "leaked", "--compromised", "--yes")
    assert ran.code == 9
    assert "this run goes on as before" in ran.out
    assert old in managed.live(managed.us)["reconciler"]


def test_the_one_we_run_with_is_spared_although_it_was_superseded(
    managed: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = managed.live(managed.us)["reconciler"]
    managed.tokens_file("{name: reconciler, expires_in: 30, rotation: 1, retire: after-overlap}",
                        OTHER, head=HEAD)  # fmt: skip
    assert managed.run("apply", "--yes").code == 0
    managed.pass_time(days=8)
    ran = managed.run("apply", "--yes")
    assert old in managed.live(managed.us)["reconciler"]
    assert "this run may be using it" in " ".join(ran.out.split())
    monkeypatch.setenv("NB_PAT", Path("secrets/platform/reconciler").read_text("utf-8"))
    managed.pass_time(minutes=1)
    managed.run("apply", "--yes")
    assert old not in managed.live(managed.us)["reconciler"]
