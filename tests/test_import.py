"""import: whatever is live, what it prints is read back, is true, and has no effect."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging import SECRET, Ran, Stage, staged
from test_outputs import Heard

from reconciler.emulator import Clock, Drop, Fault


def read_back(stage: Stage, text: str) -> dict[str, Any]:
    """The plan for it, which changes nothing and misses nothing."""
    (stage.folder / "tokens.yaml").write_text(text, encoding="utf-8")
    ran = stage.run("validate")
    assert ran.code == 0, ran
    ran = stage.run("plan", "--format", "json")
    assert ran.code == 0, ran
    plan: dict[str, Any] = json.loads(ran.out)
    effects = {"register", "create", "renew", "amend", "revoke", "clean", "blocked"}
    assert [change for change in plan["changes"] if change["action"] in effects] == []
    (stage.folder / "tokens.yaml").unlink()
    return plan


def kept(plan: dict[str, Any]) -> set[str]:
    return {change["before"]["token_id"] for change in plan["changes"] if change["action"] == "keep"}


NAMES = st.sampled_from(
    ["a", "A", "a b", "a-b", "a_b", "a/b", "🚀", "東京", "::error::x", "##[error]", "no", "~", "12:30", "x\n",
     "current", "n" * 255, "n" * 256, "é" * 130, "# no comment", "a: b", "\ufffe", "\u2028", "'", '"', "\\"]
) | st.text(min_size=1, max_size=12)  # fmt: skip
USERS = st.sampled_from(["ci-bot", "current", "", "x\x1b", "no", "a: b", "🚀", "u" * 256])
USERS |= st.text(max_size=6)
SINKS = st.sampled_from(["", "sinks: {vault: {type: file, path: .env, format: dotenv}}\n"])
TOKENS = st.lists(st.tuples(NAMES, st.integers(1, 365)), max_size=5)
SETS = st.sampled_from(["imported", "1", "a-b", "x" * 63])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    people=st.lists(st.tuples(USERS, TOKENS), min_size=1, max_size=3),
    wait=st.integers(0, 40), name=SETS, sinks=SINKS, decorated=st.booleans(),
)  # fmt: skip
def test_what_it_prints_is_read_back_is_true_and_has_no_effect(
    people: list[tuple[str, list[tuple[str, int]]]], wait: int, name: str, sinks: str, decorated: bool
) -> None:
    heard: Any = Heard()
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(heard.out),
        contextlib.redirect_stderr(heard.err),
        staged(Path(folder, "work"), patch, heard, Clock()) as stage,
    ):
        stage.config(sinks + ("live_name: '{set}/{name}'\n" if decorated else ""))
        ids = [stage.emulator.add_user(user, role="user", service_user=True) for user, _ in people]
        for id_, (_, tokens) in zip(ids, people, strict=True):
            for token, days in tokens:
                stage.emulator.issue(id_, token, days=days)
                stage.pass_time(minutes=1)
        stage.pass_time(days=wait)
        ran = stage.run("import", "--name", name, *(word for id_ in ids for word in ("--user-id", id_)))
        if ran.code == 3:
            assert (ran.out, "nothing to import" in ran.err) == ("", True)
            return
        assert ran.code == 0, ran
        listed = {t.id for id_ in ids for t in stage.emulator.tokens(id_)}
        plan = read_back(stage, ran.out)
        assert kept(plan) == {id_ for id_ in listed if f"adopt: {id_}" in ran.out}
        assert all(id_ in ran.out for id_ in listed)  # an entry, or a comment


def imported(stage: Stage, *argv: str) -> Ran:
    ran = stage.run("import", *argv)
    assert ran.code == 0, ran
    return ran


def test_of_two_service_users_of_one_name_the_id_is_written(stage: Stage) -> None:
    other = stage.emulator.add_user("ci-bot", role="user", service_user=True)
    stage.emulator.issue(other, "two", days=30)
    ran = imported(stage, "--user-id", other)
    assert f'user: "{other}"' in ran.out
    assert len(kept(read_back(stage, ran.out))) == 1


def test_a_service_user_named_current_is_not_us(stage: Stage) -> None:
    other = stage.emulator.add_user("current", role="user", service_user=True)
    stage.emulator.issue(other, "two", days=30)
    ran = imported(stage, "--user-id", other)
    assert f'user: "{other}"' in ran.out
    read_back(stage, ran.out)
    assert 'user: "reconciler"' in imported(stage, "--user-id", "current").out


def test_names_with_one_key_or_none_get_keys_of_their_own(stage: Stage) -> None:
    for name in ("🚀", "東京", "a b", "a-b"):
        stage.emulator.issue(stage.bot, name, days=30)
    (own_id,) = stage.live()["a-b"]
    stage.emulator.issue(stage.bot, own_id, days=300)
    ran = imported(stage, "--user-id", "ci-bot")
    assert len(kept(read_back(stage, ran.out))) == 5
    assert ran.out.count('sinks: [{sink: "local", key: ') == 3


@pytest.mark.parametrize("name", ["Bad!\nx: y", "", "by-hand", "x\n", "-a", "x" * 64, "A"])
def test_a_name_that_no_set_can_have(stage: Stage, name: str) -> None:
    stage.emulator.issue(stage.bot, "a", days=30)
    ran = stage.run("import", "--user-id", "ci-bot", "--name", name)
    assert (ran.code, ran.out) == (3, "")
    assert "lower-case letters" in ran.err


def test_nobody_and_nothing_is_no_file(stage: Stage) -> None:
    ran = stage.run("import", "--user-id", "ci-bot")
    assert (ran.code, ran.out) == (3, "")
    assert "nothing to import" in ran.err
    stage.emulator.issue(stage.bot, "old", days=1)
    stage.pass_time(days=2)
    assert "old" in stage.run("import", "--user-id", "ci-bot").err
    assert "did you mean" in stage.run("list", "--user-id", "ci-bo").err


def test_a_secret_for_a_name_is_left_out_loudly(stage: Stage) -> None:
    secret = stage.emulator.issue(stage.bot, "fine", days=30)
    stage.emulator.issue(stage.bot, f"my {secret}", days=30)
    ran = imported(stage, "--user-id", "ci-bot")
    assert not SECRET.search(ran.out + ran.err)
    assert "# my nbp_*** (" in ran.out
    assert "HAS A SECRET FOR A NAME" in ran.out
    assert "left out: 1" in ran.err
    read_back(stage, ran.out)


def test_what_is_about_to_be_renewed_is_not_renewed_by_importing_it(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "late", days=90)
    stage.pass_time(days=80)
    stage.emulator.issue(stage.bot, "fresh", days=90)
    ran = imported(stage, "--user-id", "ci-bot")
    assert ran.out.count("renew: false") == 1
    assert len(kept(read_back(stage, ran.out))) == 2
    (stage.folder / "tokens.yaml").write_text(ran.out.replace("renew: false", "renew: true"), "utf-8")
    assert "1 renew" in stage.run("plan").out


def test_what_a_set_manages_stays_with_it(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    stage.emulator.issue(stage.bot, "by hand", days=30)
    stage.run("create", "--name", "laptop", "--user-id", "ci-bot", "--sink", "local")
    (stage.folder / "tokens.yaml").unlink()
    ran = imported(stage, "--user-id", "ci-bot")
    assert "# a (" in ran.out
    assert "is managed by set platform: left out" in ran.out
    assert len(kept(read_back(stage, ran.out))) == 2
    ran = stage.run("import", "--user-id", "ci-bot", "--name", "platform")
    assert (ran.code, ran.out) == (3, "")
    assert "sink local knows a set platform" in ran.err


def test_a_sink_that_cannot_be_read_is_not_an_empty_one(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "a", days=30)
    (stage.folder / "secrets").mkdir()
    (stage.folder / "secrets/.platform.registration.json").write_text("{", "utf-8")
    ran = stage.run("import", "--user-id", "ci-bot")
    assert (ran.code, ran.out) == (1, "")


def test_it_says_of_what_a_run_may_have_lost_that_nobody_may_have_its_secret(stage: Stage) -> None:
    """A run of another set died over one; two others were made by hand, one of them in use."""
    doubt = "if a run died over it, nobody has its secret"
    stage.emulator.issue(stage.bot, "older", days=30, created_by=stage.us)
    assert doubt not in stage.run("import", "--user-id", "ci-bot").out
    stage.pass_time(minutes=1)
    stage.tokens_file("name: a", "name: b")
    assert stage.run("apply", "--yes").code == 0
    stage.tokens_file("name: a", "name: b", "name: lost")
    stage.emulator.faults.add(Fault(Drop(), "POST", when="after"))
    assert stage.run("apply", "--yes").code == 9
    used = stage.emulator.issue(stage.bot, "used", days=30, created_by=stage.us)
    requests.get(f"{stage.url}/api/users", headers={"Authorization": f"Token {used}"}, timeout=9)
    stage.run("create", "--name", "kept", "--sink", "local", "--user-id", "ci-bot")
    said = stage.run("import", "--name", "second", "--user-id", "ci-bot").out
    (lost,) = stage.live()["lost"]
    assert [line.split()[1] for line in said.splitlines() if doubt in line] == [lost]
    assert lost in kept(read_back(stage, said))
