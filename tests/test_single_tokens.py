"""list, inspect, create, revoke, doctor: without a token file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TextIO, cast

import pytest
from staging import SECRET, Stage, piped

from reconciler.cli.streams import Unfailing
from reconciler.emulator import Call, Drop, Fault, Raw, Status


def test_list_shows_our_own_tokens_or_those_of_a_service_user(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "theirs", days=3)
    assert "bootstrap" in stage.run("list").out
    assert "theirs" in stage.run("list", "--user-id", "ci-bot").out
    document = json.loads(stage.run("list", "--user-id", stage.bot, "--format", "json").out)
    assert [token["name"] for token in document["tokens"]] == ["theirs"]


def test_an_unknown_user_gets_a_suggestion(stage: Stage) -> None:
    ran = stage.run("list", "--user-id", "ci-bo")
    assert ran.code == 3
    assert "did you mean 'ci-bot'?" in ran.err


def test_two_service_users_of_one_name_need_an_id(stage: Stage) -> None:
    stage.emulator.add_user("ci-bot", role="user", service_user=True)
    ran = stage.run("list", "--user-id", "ci-bot")
    assert ran.code == 3
    assert stage.bot in ran.err


NOBODY = {"id": "x", "name": "n", "role": "admin", "is_service_user": True, "is_current": False}


@pytest.mark.parametrize("users", [None, [], [NOBODY], [{**NOBODY, "is_current": True}] * 2])
@pytest.mark.parametrize(
    "command",
    ["list", "inspect d1k2m3n4o5p6q7r8s9t0", "create --name x --show-once",
     "revoke d1k2m3n4o5p6q7r8s9t0 --yes", "import", "plan",
     "apply --yes", "doctor", "list --user-id x", "import --user-id x"],
)  # fmt: skip
def test_a_server_that_does_not_say_who_we_are(stage: Stage, command: str, users: object) -> None:
    stage.tokens_file("name: a")
    answer = Raw(200, "application/json", json.dumps(users).encode())
    stage.emulator.faults.add(Fault(answer, path="/api/users", times=None))
    ran = stage.run(*command.split())
    assert ran.code == 1
    assert "users as the current one, expected 1" in ran.err + ran.out
    assert stage.writes() == []
    assert "kind: TokenSet" not in ran.out


def test_inspect_finds_a_token_by_its_id_alone(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "theirs", days=3)
    (token,) = stage.live()["theirs"]
    ran = stage.run("inspect", token)
    assert "made for   3 days" in ran.out
    assert stage.run("inspect", token, "--user-id", "ci-bot", "--format", "json").code == 0
    assert stage.run("inspect", "00000000000000000000").code == 3


def test_create_shows_the_secret_once_and_nothing_else_on_stdout(stage: Stage) -> None:
    ran = stage.run("create", "--name", "laptop", "--show-once", "--user-id", "ci-bot")
    assert ran.code == 0
    assert SECRET.fullmatch(ran.out.strip())
    assert not SECRET.search(ran.err)
    assert stage.emulator.authenticates(ran.out.strip()) == stage.bot
    (token,) = [t for t in stage.emulator.tokens(stage.bot) if t.name == "laptop"]
    assert round((token.expires_at - token.created_at).total_seconds() / 86400) == 90


@contextmanager
def stdout_to(place: str) -> Iterator[None]:
    """Stdout leads there, as it would in a process of its own."""
    with Path(place).open("w", encoding="utf-8") as end, redirect_stdout(cast("TextIO", Unfailing(end))):
        yield


@pytest.mark.parametrize("line", ['"$@" | true', '"$@" > /dev/null', '"$@" >&-'])
def test_create_makes_nothing_where_nobody_can_read_the_secret(stage: Stage, line: str) -> None:
    ran = piped(stage, f"{{ {line}; }} 2> err", "create", "--name", "x", "--show-once")
    told = (stage.folder / "err").read_text("utf-8")
    assert "stdout leads to nobody, and a secret is shown once; nothing was made" in told
    assert stage.writes() == []
    assert ran.returncode == (0 if "|" in line else 3)


def test_create_asks_for_nothing_that_would_go_to_the_null_device(stage: Stage) -> None:
    with stdout_to("/dev/null"):
        assert stage.run("create", "--name", "x", "--show-once").code == 3
    assert stage.emulator.requests == []
    with stdout_to("kept"):
        assert stage.run("create", "--name", "x", "--show-once").code == 0
    assert SECRET.fullmatch((stage.folder / "kept").read_text("utf-8").strip())


@pytest.mark.parametrize("gone", [False, True])
def test_create_revokes_what_stdout_did_not_take(stage: Stage, gone: bool) -> None:
    def forget() -> None:
        stage.emulator.forget(*stage.live()["x"])

    stage.emulator.faults.add(Fault(Call(forget if gone else lambda: None), "DELETE"))
    with stdout_to("/dev/full"):
        ran = stage.run("create", "--name", "x", "--show-once", "--user-id", "ci-bot")
    assert ran.code == 8
    assert "stdout did not take the secret, so nobody has it; token " in ran.err
    assert stage.live() == {}


def test_create_that_cannot_take_it_back_names_the_token(stage: Stage) -> None:
    stage.emulator.faults.add(Fault(Status(500, "down"), "DELETE", times=None))
    argv = ("create", "--name", "x", "--show-once", "--user-id", "ci-bot")
    ran = piped(stage, '"$@" > /dev/full', *argv)
    (token,) = stage.live()["x"]
    assert ran.returncode == 9
    assert f"token {token} could not be revoked" in ran.stderr
    assert f"try: `netbird-tokens revoke {token}`" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_create_revokes_what_a_reader_that_left_did_not_take(stage: Stage) -> None:
    ours, theirs = os.pipe()
    stage.emulator.faults.add(Fault(Call(lambda: os.close(ours)), "POST", when="after"))
    ran = piped(stage, '"$@"', "create", "--name", "x", "--show-once", stdout=theirs)
    os.close(theirs)
    assert ran.returncode == 8
    assert [token.name for token in stage.emulator.tokens(stage.us)] == ["bootstrap"]


@pytest.mark.parametrize("where", ["--show-once", "--sink=local"])
def test_create_whose_answer_is_lost_says_what_to_do(stage: Stage, where: str) -> None:
    """No later run looks for it, since no file names it."""
    stage.emulator.faults.add(Fault(Drop(), "POST", when="after"))
    ran = stage.run("create", "--name", "x", where, "--user-id", "ci-bot")
    assert ran.code == 9
    assert "it is not known whether" in ran.err
    assert f"`netbird-tokens list --user-id {stage.bot}` shows it if it exists" in ran.err


@pytest.mark.parametrize("name", ["another", "x"])
def test_create_takes_back_what_is_not_what_was_asked_for(stage: Stage, name: str) -> None:
    """The server gives it a day too much, or another name."""
    stage.emulator.issue(stage.bot, name, days=31)
    (made,) = stage.emulator.tokens(stage.bot)
    secret = stage.emulator.issue(stage.bot, "seed", days=1)
    made_at, ends = made.created_at.isoformat(), made.expires_at.isoformat()
    shown = {"id": made.id, "name": name, "created_by": stage.us}
    shown |= {"created_at": made_at, "expiration_date": ends}
    body = json.dumps({"personal_access_token": shown, "plain_token": secret}).encode()
    stage.emulator.faults.add(Fault(Raw(200, "application/json", body), "POST"))
    days = "31" if name == "another" else "30"
    argv = ("create", "--name", "x", "--expires-in", days, "--show-once", "--user-id", "ci-bot")
    ran = stage.run(*argv)
    assert (ran.code, ran.out) == (8, "")
    assert ("another name" if name == "another" else "31 days instead of 30") in ran.err
    assert list(stage.live()) == ["seed"]


@pytest.mark.parametrize(("power", "code"), [("up", 8), ("down", 9)])
def test_create_into_a_place_that_was_taken_meanwhile(stage: Stage, power: str, code: int) -> None:
    place = stage.folder / "secrets/by-hand/x"

    def take() -> None:
        place.parent.mkdir(mode=0o700, parents=True)
        place.write_text("somebody's", "utf-8")
        (stage.folder / "secrets").chmod(0o700)

    stage.emulator.faults.add(Fault(Call(take), "POST"))
    if power == "down":
        stage.emulator.faults.add(Fault(Status(500, "down"), "DELETE", times=None))
    ran = stage.run("create", "--name", "x", "--sink", "local", "--user-id", "ci-bot")
    assert ran.code == code
    tokens = stage.live().get("x", [])
    assert len(tokens) == (0 if code == 8 else 1)
    for token in tokens:
        assert f"if the secret is not there, `netbird-tokens revoke {token}`" in ran.err


def test_create_into_a_sink(stage: Stage) -> None:
    ran = stage.run("create", "--name", "My Laptop", "--sink", "local", "--expires-in", "30")
    assert ran.code == 0
    assert not SECRET.search(ran.out + ran.err)
    (secret,) = stage.secrets().values()
    assert stage.emulator.authenticates(secret) == stage.us
    assert list(stage.secrets()) == ["secrets/by-hand/my-laptop"]
    assert stage.run("create", "--name", "My Laptop", "--sink", "local").code == 5


@pytest.mark.parametrize(
    "argv",
    [
        ["--name", "x"],
        ["--name", "x", "--show-once", "--sink", "local"],
        ["--name", "", "--show-once"],
        ["--show-once"],
        ["--name", "x", "--expires-in", "0", "--show-once"],
        ["--name", "x", "--expires-in", "366", "--show-once"],
        ["--name", "x", "--sink", "nowhere"],
        ["--name", "x", "--sink", "local", "--key", "../x"],
    ],
)
def test_create_refuses_before_anything_is_sent(stage: Stage, argv: list[str]) -> None:
    assert stage.run("create", *argv).code == 3
    assert stage.writes() == []


def test_create_says_what_the_server_refused(stage: Stage) -> None:
    fault = Fault(method="POST", path="*/tokens", when="before", action=Status(403, "denied"))
    stage.emulator.faults.add(fault)
    assert stage.run("create", "--name", "x", "--show-once").code == 4


def test_revoke_asks_and_needs_a_yes(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "old", days=3)
    (token,) = stage.live()["old"]
    ran = stage.run("revoke", token)
    assert ran.code == 3
    assert "nothing was changed" in ran.err
    assert "old" in stage.live()
    assert stage.run("revoke", token, "--user-id", "ci-bot", "--yes").code == 0
    assert stage.live() == {}


def test_revoke_empties_every_place_and_the_next_apply_makes_a_new_token(stage: Stage) -> None:
    stage.config("sinks: {one: {type: file, path: secrets/one}, two: {type: file, path: secrets/two}}\n")
    stage.tokens_file("{name: a, sinks: [one, two]}", "{name: b, sinks: [one]}")
    assert stage.run("apply", "--yes").code == 0
    (token,) = stage.live()["a"]
    ran = stage.run("revoke", token)
    assert ran.code == 3
    assert "its secret leaves one:platform/a; while the file has entry a of set platform" in ran.err
    assert "its secret leaves two:platform/a" in ran.err
    assert len(stage.secrets()) == 3
    ran = stage.run("revoke", token, "--yes")
    assert ran.code == 0
    assert "revoked a" in ran.out
    assert ran.out.count("its secret left ") == 2
    assert list(stage.secrets()) == ["secrets/one/platform/b"]
    assert stage.run("apply", "--yes").code == 0
    assert len(stage.secrets()) == 3
    assert token not in stage.live()["a"]


def test_revoke_of_a_token_made_by_hand_leaves_no_secret(stage: Stage) -> None:
    stage.run("create", "--name", "x", "--sink", "local", "--user-id", "ci-bot")
    (token,) = stage.live()["x"]
    ran = stage.run("revoke", token, "--yes")
    assert ran.code == 0
    assert "apply" not in ran.err
    assert (stage.secrets(), stage.live()) == ({}, {})


def test_revoke_leaves_a_receipt_that_speaks_of_older_tokens(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    (old,) = stage.live()["a"]
    stage.run("rotate", "a", "--reason", "x", "--yes")
    (new,) = {*stage.live()["a"]} - {old}
    ran = stage.run("revoke", new, "--yes")
    assert ran.code == 0
    assert "its secret stays in local:platform/a until the next apply of entry a" in ran.err
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(days=9)
    assert stage.run("apply", "--yes").code == 0
    (newest,) = stage.live()["a"]
    assert newest not in (old, new)


def test_revoke_that_could_not_empty_a_place_does_it_the_next_time(stage: Stage) -> None:
    stage.run("create", "--name", "x", "--sink", "local", "--user-id", "ci-bot")
    (token,) = stage.live()["x"]
    place, hidden = stage.folder / "secrets/by-hand", stage.folder / "hidden"

    def hide() -> None:
        place.rename(hidden)
        place.write_text("in the way", "utf-8")

    stage.emulator.faults.add(Fault(Call(hide), "DELETE"))
    ran = stage.run("revoke", token, "--yes")
    assert ran.code == 9
    assert f"local:by-hand/x still holds the secret of {token}" in ran.err
    assert "Run the same command again" in ran.err
    place.unlink()
    hidden.rename(place)
    ran = stage.run("revoke", token, "--yes")
    assert ran.code == 0
    assert "is gone already; its secret is not" in ran.err
    assert stage.secrets() == {}
    assert stage.run("revoke", token, "--yes").code == 3


def test_revoke_says_what_it_could_not_look_into(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "old", days=3)
    (token,) = stage.live()["old"]
    (stage.folder / "secrets").write_text("no folder", "utf-8")
    ran = stage.run("revoke", token, "--yes")
    assert ran.code == 1
    assert "could not look into sink local" in ran.err
    assert stage.live() == {}


def test_revoke_spares_the_credential_it_runs_with(stage: Stage) -> None:
    (own,) = stage.emulator.tokens(stage.us)
    assert stage.run("revoke", own.id, "--yes").code == 5
    assert stage.emulator.authenticates(stage.credential) == stage.us


def test_doctor_names_what_is_wrong(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tokens_file("name: a")
    assert stage.run("doctor").code == 0
    stage.emulator.set_role(stage.us, "network_admin")
    ran = stage.run("doctor", "--show-config")
    assert ran.code != 0
    assert "role admin" in ran.out
    stage.emulator.set_role(stage.us, "admin")
    (stage.folder / "secrets").write_text("not a folder", encoding="utf-8")
    assert "✘ sink local" in stage.run("doctor").out
    monkeypatch.setenv("NB_PAT", "nbp_cut")
    ran = stage.run("doctor")
    assert ran.code == 4
    assert "nbp_cut" not in ran.out + ran.err


def test_the_credential_may_come_from_a_file(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NB_PAT")
    (stage.folder / "pat").write_text(f"{stage.credential}\n", encoding="utf-8")
    (stage.folder / "pat").chmod(0o640)
    assert stage.run("list", "--token-file", "pat").code == 0
    assert stage.run("list", "--token-file", "missing").code == 3


def test_explain_show_completion(stage: Stage) -> None:
    assert "renewal window" in stage.run("explain", "due").out
    assert stage.run("explain", "NB104").code == 0
    assert "did you mean 'due'?" in stage.run("explain", "dua").err
    stage.tokens_file("name: a")
    stage.run("plan", "--out", "p.json")
    assert "create" in stage.run("show", "p.json").out
    assert stage.run("show", "tokens.yaml").code == 6
    for shell in ("bash", "zsh", "fish"):
        assert "netbird-tokens" in stage.run("completion", shell).out
    assert stage.run("version", "--json").out.startswith('{"version"')


def test_import_writes_every_name_so_that_it_is_read_back_and_shows_none_raw(stage: Stage) -> None:
    possible = ["tag \U000e0041", "\ue000", "🚀 東京", "zero\u200bwidth", "no", '"', "a: b #c"]
    possible += ["A.B", "a b", "a-b"]  # one default key for all three
    impossible = ["\x1b[31m\n::error::", "\u202egnp", "ends\n"]
    for name in possible + impossible:
        stage.emulator.issue(stage.bot, name, days=30)
    ran = stage.run("import", "--user-id", "ci-bot")
    assert not {"\x1b", "\u202e", "\U000e0041", "\ue000"} & set(ran.out)
    assert ran.out.count("has a name that no entry can have: left out") == 3
    (stage.folder / "tokens.yaml").write_text(ran.out, encoding="utf-8")
    document = json.loads(stage.run("plan", "--format", "json").out)
    kept = [change["name"] for change in document["changes"] if change["action"] == "keep"]
    assert sorted(kept) == sorted(possible)
    assert document["summary"] == {**dict.fromkeys(document["summary"], 0), "keep": 10, "unmanaged": 3}


def test_import_of_several_users_says_whose_each_is(stage: Stage) -> None:
    stage.emulator.issue(stage.bot, "theirs", days=30)
    stage.config("sinks: {vault: {type: file, path: secrets}}\n")
    ran = stage.run("import", "--user-id", "ci-bot", "--user-id", "reconciler")
    assert 'user: "ci-bot"' in ran.out
    assert 'defaults: {sinks: ["vault"]}' in ran.out
    (stage.folder / "tokens.yaml").write_text(ran.out, encoding="utf-8")
    assert "2 unchanged" in stage.run("plan").out


def test_doctor_shows_what_is_wrong_with_the_files_and_goes_on(stage: Stage) -> None:
    stage.tokens_file("{name: a, expries_in: 3}")
    ran = stage.run("doctor")
    assert ran.code == 3
    assert 'did you mean "expires_in"?' in ran.out
    assert "✔ sink local" in ran.out
    assert "next: mend" in ran.out
    stage.config("sinks: {local: {type: nothing}}\n")
    ran = stage.run("doctor")
    assert ran.code == 3
    assert "✘ config" in ran.out


def test_lists_are_told_as_markdown_and_of_nobody(stage: Stage) -> None:
    assert stage.run("list", "--user-id", "ci-bot").out == "No tokens.\n"
    stage.emulator.issue(stage.bot, "a|b", days=30)
    assert "| a\\|b |" in stage.run("list", "--user-id", "ci-bot", "--format", "markdown").out
