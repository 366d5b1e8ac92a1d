"""drift: the classes that count, and what the audit log proves about them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from staging import Stage
from test_documents import check

from reconciler.core.drift import class_of
from reconciler.core.reasons import Reason
from reconciler.emulator import Fault, Status


@pytest.fixture
def moved(stage: Stage) -> Stage:
    """Somebody deletes one of our tokens and makes another by hand; one of ours falls due."""
    stage.tokens_file("name: a", "{name: b, expires_in: 30}")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(days=25)
    (gone,) = stage.live()["a"]
    delete(stage, gone)
    stage.emulator.issue(stage.bot, "by hand", days=9)
    return stage


def delete(stage: Stage, token: str) -> None:
    """As somebody does in the dashboard."""
    headers = {"Authorization": f"Token {stage.credential}"}
    url = f"{stage.url}/api/users/{stage.bot}/tokens/{token}"
    assert requests.delete(url, headers=headers, timeout=9).status_code == 200


def found(stage: Stage, *argv: str) -> dict[str, dict[str, Any]]:
    ran = stage.run("drift", "--format", "json", *argv)
    document = json.loads(ran.out)
    check(document, "drift.v1")
    return {change["name"]: change for change in document["drift"]}


def test_what_is_due_counts_only_if_it_is_asked_for(moved: Stage) -> None:
    assert "b" not in found(moved)
    assert found(moved, "--fail-on", "due")["b"]["class"] == "due"


@pytest.mark.parametrize(
    ("classes", "code"), [("unmanaged", 2), ("due", 2), ("orphan,lifetime", 0), ("missing, unmanaged", 2)]
)
def test_the_classes_that_were_named_decide_the_exit_code(moved: Stage, classes: str, code: int) -> None:
    ran = moved.run("drift", "--fail-on", classes)
    assert ran.code == code
    assert "by hand" in ran.out  # all of it is shown


def test_a_class_that_there_is_not_is_a_usage_error(moved: Stage) -> None:
    assert moved.run("drift", "--fail-on", " , ").code == 3  # an alarm that never rings is a mistake
    ran = moved.run("drift", "--fail-on", "orphans")
    assert (ran.code, "did you mean 'orphan'?" in ran.err) == (3, True)


def test_a_token_that_expired_is_another_class_than_one_that_was_revoked(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 7}", "name: b")
    stage.run("apply", "--yes")
    (gone,) = stage.live()["b"]
    delete(stage, gone)
    stage.pass_time(days=8)
    assert {name: change["class"] for name, change in found(stage).items()} == {
        "a": "expired", "b": "secret-stale",
    }  # fmt: skip


def test_blame_tells_who_and_when_under_which_name(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    stage.run("apply", "--yes")
    (gone,) = stage.live()["a"]
    stage.run("create", "--name", "by hand", "--user-id", "ci-bot", "--show-once")
    delete(stage, gone)
    told = found(stage, "--blame")
    assert told["a"]["blame"]["act"] == "deleted"
    assert told["a"]["blame"]["user"] == stage.us
    assert told["by hand"]["blame"]["act"] == "created"
    text = stage.run("drift", "--blame").out
    assert "audit log: last deletion under this name" in text
    assert "audit log: created under this name" in text
    assert "last deletion" in stage.run("drift", "--blame", "--format", "markdown").out
    assert "blame" not in found(stage)["a"]


def test_a_creation_at_another_moment_is_not_told_as_that_of_this_token(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("create", "--name", "twin", "--user-id", "ci-bot", "--show-once")
    stage.pass_time(days=1)
    stage.emulator.issue(stage.bot, "twin", days=9)  # behind the log's back
    document = json.loads(stage.run("drift", "--blame", "--format", "json").out)
    blames = [change.get("blame") for change in document["drift"] if change["name"] == "twin"]
    assert sum(blame is None for blame in blames) == 1


def test_an_audit_log_that_cannot_be_read_is_a_word_and_no_end(moved: Stage) -> None:
    moved.emulator.faults.add(Fault(Status(403, "permission denied"), "GET", "/api/events/audit", times=None))
    ran = moved.run("drift", "--blame")
    assert ran.code == 2
    assert "audit log could not be read" in ran.err


def test_a_deletion_is_not_told_of_what_it_did_not_bring_about(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 10}")
    stage.run("apply", "--yes")
    stage.pass_time(days=8)
    stage.run("renew", "--yes")
    stage.pass_time(days=3)
    delete(stage, stage.live()["a"][0])  # what was replaced
    stage.pass_time(days=20)
    stage.emulator.issue(stage.bot, "fresh")
    delete(stage, stage.live()["fresh"][0])  # somebody else's, long before there was an entry
    stage.tokens_file("{name: a, expires_in: 10}", "name: fresh")
    told = found(stage, "--blame")
    assert (told["a"]["class"], told["fresh"]["class"]) == ("expired", "missing")
    assert not any("blame" in change for change in told.values())


def test_an_adopted_token_that_somebody_deleted_is_missing(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "hand")
    (token,) = stage.live()["hand"]
    stage.tokens_file(f"{{name: hand, adopt: {token}}}")
    assert stage.run("drift").code == 0
    delete(stage, token)
    assert found(stage)["hand"]["class"] == "missing"


NO_DRIFT = {
    Reason.IN_SYNC, Reason.ADOPTED, Reason.ENDED,  # in order
    Reason.DUE, Reason.DEFERRED, Reason.REQUESTED, Reason.SUPERSEDED, Reason.EXPIRED,  # time has passed
    Reason.YOUNG, Reason.OVERLAP, Reason.UNTIL_EXPIRY, Reason.PENDING, Reason.OWN,  # on their way
    Reason.LEFTOVER, Reason.DEPLOYED,  # the next run sees to it
    Reason.FIRST_USE, Reason.ACCEPTED,  # before the first token
    Reason.UNREAD,  # could not look: exit 1
    Reason.OTHER_SET,  # two files disagree
}  # fmt: skip


def test_each_reason_is_drift_or_is_known_to_be_none() -> None:
    assert {reason for reason in Reason if class_of(reason.code) is None} == NO_DRIFT
