"""The command with both sinks of AWS: what a consumer reads there, and what a plan sends."""

from __future__ import annotations

import sys

import pytest
from aws_stores import KINDS, AwsStore, refusal, store_at
from fakes.relay import Relay
from staging import SECRET, Stage

KEY = "platform/terraform"
READING = ("Get", "BatchGet", "List", "Describe")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.TYPE)
def store(request: pytest.FixtureRequest, stage: Stage, aws_relay: Relay) -> AwsStore:
    kind = request.param
    stage.config(f"sinks:\n  aws: {{type: {kind.TYPE}, endpoint_url: '{aws_relay.url}'}}\n")
    stage.tokens_file("{name: terraform, sinks: [aws]}")
    made: AwsStore = store_at(aws_relay, kind)
    return made


def test_from_the_first_plan_to_the_last_removal(stage: Stage, store: AwsStore) -> None:
    assert f"aws:{KEY}" in stage.run("plan").out
    assert stage.run("apply", "--yes").code == 0
    first = store.value(KEY)
    assert SECRET.fullmatch(first or "")
    store.relay.asked.clear()
    assert "Nothing to do" in stage.run("apply", "--yes").out
    assert [each for each in store.asked() if not each.startswith(READING)] == []
    assert stage.run("rotate", "terraform", "--reason", "drill", "--yes").code == 0
    second = store.value(KEY)
    assert SECRET.fullmatch(second or "")
    assert second != first
    stage.pass_time(days=10)
    assert stage.run("apply", "--yes").code == 0  # the first token has had its overlap
    stage.tokens_file("{name: terraform, state: absent, reason: done}")
    assert stage.run("apply", "--yes").code == 0
    assert store.value(KEY) is None
    assert stage.live() == {}
    said = "".join(stage.said)
    assert [each for each in (first, second) if str(each) in said] == []


def test_doctor_proves_it_and_leaves_nothing_behind(stage: Stage, store: AwsStore) -> None:
    ran = stage.run("doctor")
    assert ran.code == 0, ran
    assert "sink aws: can be read and written" in ran.out
    assert dict(store.sink().inventory([]).entries) == {}
    assert store.value("platform/preflight") is None


def test_deploy_hooks_amend_the_receipt(stage: Stage, store: AwsStore) -> None:
    with (stage.folder / ".netbird-tokens.yaml").open("a", encoding="utf-8") as config:
        config.write("hooks: {deploy: [['true']]}\n")
    assert stage.run("apply", "--yes").code == 0
    assert "Nothing to do" in stage.run("plan").out
    assert SECRET.fullmatch(store.value(KEY) or "")


def test_a_refused_write_leaves_no_token(stage: Stage, store: AwsStore) -> None:
    assert stage.run("apply", "--yes").code == 0
    held = store.value(KEY)
    full = refusal("LimitExceededException", "enough")
    with store.trouble("UpdateSecretVersionStage", "PutParameter", answer=full):
        ran = stage.run("rotate", "terraform", "--reason", "drill", "--yes")
    assert ran.code == 8, ran
    assert "LimitExceededException: enough" in " ".join(ran.out.split())
    assert store.value(KEY) == held
    assert len(stage.live()["terraform"]) == 1


def test_an_account_that_cannot_be_read_is_not_empty(stage: Stage, store: AwsStore) -> None:
    assert stage.run("apply", "--yes").code == 0
    before = stage.live()
    with store.unreadable():
        ran = stage.run("apply", "--yes")
    assert ran.code == 1
    assert "AccessDeniedException" in ran.err + ran.out
    assert stage.live() == before


def test_without_boto3_the_command_that_installs_it_is_told(
    stage: Stage, store: AwsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "boto3.session")
    assert stage.run("validate").code == 0  # keys are checked without it
    ran = stage.run("plan")
    assert ran.code == 3
    assert "boto3" in ran.err
    assert "-m pip install 'netbird-token-reconciler[aws]'" in ran.err
