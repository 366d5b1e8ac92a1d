"""What the product promises, seen from outside: files in, tokens and secrets out."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from staging import HEAD, SECRET, Stage

from reconciler.emulator import Call, Drop, Fault, Request, Status

TEN = tuple(f"{{name: token {n}}}" for n in range(10))


def test_ten_specs_become_ten_tokens_with_their_secrets_in_files(stage: Stage) -> None:
    stage.tokens_file(*TEN)
    assert stage.run("apply", "--yes").code == 0
    assert sorted(stage.live()) == [f"token {n}" for n in range(10)]
    secrets = stage.secrets()
    assert len(secrets) == 10
    for path, secret in secrets.items():
        assert stage.emulator.authenticates(secret) == stage.bot
        assert stat.S_IMODE((stage.folder / path).stat().st_mode) == 0o600


def test_the_second_apply_does_nothing_and_sends_no_write(stage: Stage) -> None:
    stage.tokens_file(*TEN)
    stage.run("apply", "--yes")
    stage.emulator.requests.clear()
    again = stage.run("apply", "--yes")
    assert again.code == 0
    assert "Nothing to do" in again.out
    assert stage.writes() == []


def test_plan_sends_one_get_for_the_users_and_one_for_each_user(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, user: current}", "name: c")
    stage.emulator.requests.clear()
    assert stage.run("plan").code == 0
    paths = sorted(r.path for r in stage.emulator.requests)
    assert stage.writes() == []
    assert paths == sorted(
        ["/api/users", f"/api/users/{stage.bot}/tokens", f"/api/users/{stage.us}/tokens"]
    )


def test_a_failed_list_holds_up_that_user_and_nobody_else(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, user: current}")
    path = f"/api/users/{stage.bot}/tokens"
    stage.emulator.faults.add(
        Fault(method="GET", path=path, when="before", action=Status(403, "no"), times=None)
    )
    ran = stage.run("apply", "--yes", "--format", "json")
    document = json.loads(ran.out)
    assert ran.code == 1
    assert document["plan"]["complete"] is False
    assert stage.live() == {}
    assert "b" in stage.live(stage.us)


@pytest.mark.parametrize("kind", ["dotenv", "json"])
def test_many_keys_in_one_file(stage: Stage, kind: str) -> None:
    stage.tokens_file(*TEN)
    stage.config(f"sinks:\n  local: {{type: file, path: s/.env, format: {kind}}}\n")
    assert stage.run("apply", "--yes").code == 0
    text = (stage.folder / "s" / ".env").read_text(encoding="utf-8")
    found = SECRET.findall(text)
    assert len(set(found)) == 10
    assert all(stage.emulator.authenticates(secret) == stage.bot for secret in found)
    assert "PLATFORM_TOKEN_3" in text
    stage.emulator.requests.clear()
    assert "Nothing to do" in stage.run("apply", "--yes").out


def test_renewal_overlap_and_retirement(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 90}")
    stage.run("apply", "--yes")
    first = stage.live()["a"]
    old = next(iter(stage.secrets().values()))
    stage.pass_time(days=65)
    assert stage.run("apply", "--yes").code == 0
    new = next(iter(stage.secrets().values()))
    assert new != old
    assert stage.emulator.authenticates(old) == stage.emulator.authenticates(new) == stage.bot
    stage.pass_time(days=1)
    assert "Nothing to do" in stage.run("apply", "--yes").out
    stage.pass_time(days=7)
    assert stage.run("apply", "--yes").code == 0
    assert first[0] not in stage.live()["a"]
    assert stage.emulator.authenticates(new) == stage.bot


def test_a_superseded_token_in_use_stays(stage: Stage) -> None:
    stage.tokens_file("{name: a, expires_in: 90}")
    stage.run("apply", "--yes")
    old = next(iter(stage.secrets().values()))
    stage.pass_time(days=65)
    stage.run("apply", "--yes")
    stage.pass_time(days=8)
    with pytest.MonkeyPatch.context() as other:
        other.setenv("NB_PAT", old)
        stage.run("list")
    ran = stage.run("plan")
    assert "last used" in ran.out
    assert stage.emulator.authenticates(old) == stage.bot


def test_a_lost_answer_leaves_an_orphan_that_the_next_run_heals(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", when="after", action=Drop()))
    assert stage.run("apply", "--yes").code == 9
    assert len(stage.live()["a"]) == 1
    assert stage.secrets() == {}
    stage.pass_time(minutes=20)
    assert stage.run("apply", "--yes").code == 0
    (secret,) = stage.secrets().values()
    assert stage.emulator.authenticates(secret) == stage.bot
    assert len(stage.live()["a"]) == 2
    assert "unless somebody uses it" in stage.run("plan").out
    stage.pass_time(days=8)
    assert stage.run("apply", "--yes").code == 0
    assert len(stage.live()["a"]) == 1
    assert stage.emulator.authenticates(secret) == stage.bot


def test_a_token_in_a_sink_that_we_cannot_see_has_time_to_be_used(stage: Stage) -> None:
    """A second checkout of the set, with a sink of its own."""
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    stage.config("sinks: {local: {type: file, path: elsewhere}}\n")
    assert stage.run("apply", "--yes").code == 5
    assert stage.run("apply", "--yes", "--allow-reissue", "a").code == 0
    theirs = (stage.folder / "elsewhere/platform/a").read_text("utf-8")
    stage.config("")
    for _ in range(6):
        stage.pass_time(days=1)
        assert stage.run("apply", "--yes").code == 0
    headers = {"authorization": f"Token {theirs}"}
    assert stage.emulator.handle(Request("GET", "/api/users", headers)).status == 200
    stage.pass_time(days=30)
    stage.run("apply", "--yes")
    assert stage.emulator.authenticates(theirs) == stage.bot


def test_a_sink_that_refuses_rolls_the_token_back(stage: Stage) -> None:
    stage.tokens_file("name: a")
    place = stage.folder / "secrets" / "platform"

    def foreign_value_appears() -> None:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / "a").write_text("somebody's", encoding="utf-8")
        (place / "a").chmod(0o600)

    stage.emulator.faults.add(
        Fault(method="POST", path="*/tokens", when="before", action=Call(foreign_value_appears))
    )
    ran = stage.run("apply", "--yes")
    assert ran.code == 8
    assert stage.live() == {}
    assert (place / "a").read_text(encoding="utf-8") == "somebody's"


def test_nothing_secret_in_any_output(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, protect: true}")
    stage.run("apply", "--yes", "-v", "--report", "json=report.json", "--report", "markdown=r.md")
    for argv in (
        ["plan", "-v"], ["plan", "--format", "json", "--out", "plan.json"], ["status"], ["drift"],
        ["plan", "--format", "markdown"], ["list", "--user-id", "ci-bot"], ["doctor", "--show-config"],
        ["import", "--user-id", "ci-bot"], ["validate"], ["show", "plan.json"],
        ["rotate", "a", "--reason", "test", "--yes"], ["renew", "--yes"],
    ):  # fmt: skip
        stage.run(*argv)
    stage.emulator.faults.add(Fault(method="POST", when="after", action=Status(500, stage.credential)))
    stage.run("rotate", "b", "--reason", "test", "--yes")
    outputs = [*stage.said, *(_text(p) for p in stage.folder.iterdir() if p.is_file())]
    assert not any(SECRET.search(text) for text in outputs)
    assert len(stage.secrets()) == 2


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_protected_token_outlives_its_entry_until_protection_is_taken_off(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, protect: true}", "name: c")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: a", "name: c")
    assert stage.run("apply", "--yes").code == 5
    assert "b" in stage.live()
    stage.tokens_file("name: a", "{name: b, protect: false}", "name: c")
    assert stage.run("apply", "--yes").code == 0
    stage.tokens_file("name: a", "name: c")
    assert stage.run("apply", "--yes").code == 0
    assert "b" not in stage.live()
    assert "secrets/platform/b" not in stage.secrets()


def test_adopting_replaces_nothing_until_it_must(stage: Stage) -> None:
    secret = stage.emulator.issue(stage.bot, "legacy", days=90)
    stage.tokens_file("{name: legacy, adopt: true, expires_in: 30}")
    stage.emulator.requests.clear()
    assert stage.run("apply", "--yes").code == 0
    assert stage.writes() == []
    stage.pass_time(days=65)
    assert stage.run("apply", "--yes").code == 0
    assert stage.emulator.authenticates(secret) == stage.bot
    assert len(stage.live()["legacy"]) == 2


def test_a_fresh_sink_while_tokens_of_these_names_live_stops_everything(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    stage.config("sinks:\n  local: {type: file, path: elsewhere}\n")
    ran = stage.run("apply", "--yes")
    assert ran.code == 5
    assert "reissue" in ran.err
    assert len(stage.live()["a"]) == 1
    assert stage.run("apply", "--yes", "--allow-reissue", "a").code == 0


def test_moving_to_another_sink_is_a_renewal(stage: Stage) -> None:
    stage.config(
        "sinks:\n  local: {type: file, path: secrets}\n  other: {type: file, path: secrets2}\n"
    )
    stage.tokens_file("{name: a, sinks: [local]}")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("{name: a, sinks: [other]}")
    ran = stage.run("apply", "--yes")
    assert ran.code == 0
    assert "1 renew" in ran.out
    stage.pass_time(days=31)
    assert stage.run("apply", "--yes").code == 0
    assert len(stage.live()["a"]) == 1
    assert stage.secrets() == {}
    moved = (stage.folder / "secrets2" / "platform" / "a").read_text(encoding="utf-8")
    assert stage.emulator.authenticates(moved) == stage.bot


def test_compromised_takes_the_old_token_away_at_once(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    old = next(iter(stage.secrets().values()))
    stage.pass_time(hours=1)
    ran = stage.run("rotate", "a", "--reason", "leaked", "--compromised", "--yes")
    assert ran.code == 0
    assert stage.emulator.authenticates(old) is None
    assert stage.emulator.authenticates(next(iter(stage.secrets().values()))) == stage.bot


def test_our_own_credential_is_never_revoked(stage: Stage) -> None:
    stage.tokens_file(
        "{name: bootstrap, user: current, state: absent, reason: clean up}", "name: a", head=HEAD
    )
    assert stage.run("apply", "--yes").code == 0
    assert stage.emulator.authenticates(stage.credential) == stage.us


def test_a_sink_that_an_entry_no_longer_names_loses_the_secret(stage: Stage) -> None:
    stage.config("sinks:\n  local: {type: file, path: secrets}\n  two: {type: file, path: two}\n")
    stage.tokens_file("{name: a, sinks: [local, two]}")
    assert stage.run("apply", "--yes").code == 0
    stage.tokens_file("{name: a, sinks: [local]}")
    ran = stage.run("plan")
    assert "no longer names two" in ran.out
    assert stage.run("apply", "--yes").code == 0
    assert not (stage.folder / "two/platform/a").exists()
    (secret,) = stage.secrets().values()
    assert stage.emulator.authenticates(secret) == stage.bot
    assert stage.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("argv", ["renew --yes", "rotate b --reason x --yes"])
def test_a_sink_is_registered_only_for_what_a_run_mints(stage: Stage, argv: str) -> None:
    stage.config("sinks: {local: {type: file, path: secrets}, new: {type: file, path: new}}\n")
    stage.tokens_file("name: b")
    assert stage.run("apply", "--yes").code == 0
    stage.tokens_file("name: b", "{name: a, sinks: [new]}")
    assert "1 register" in stage.run("plan").out
    assert "register" not in stage.run(*argv.split()).out
    assert not Path("new").exists()
