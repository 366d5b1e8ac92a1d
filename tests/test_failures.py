"""What goes wrong in the middle of an apply, and how the next run settles it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from staging import SECRET, Stage, at_a_terminal

from reconciler.emulator import Call, Delay, Drop, Fault, Raw, Request, Status

TWO_SINKS = "sinks:\n  one: {type: file, path: secrets}\n  two: {type: file, path: secrets2}\n"
BOTH = "{name: a, sinks: [one, two]}"


def somebody_writes(path: Path) -> Callable[[], None]:
    def act() -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.parent.chmod(0o700)
        path.write_text("somebody's", encoding="utf-8")
        path.chmod(0o600)

    return act


def at_post(stage: Stage, act: Callable[[], None]) -> None:
    stage.emulator.faults.add(
        Fault(method="POST", path="*/tokens", when="before", action=Call(act))
    )


def test_half_written_sinks_are_made_whole_by_the_next_run(stage: Stage) -> None:
    stage.config(TWO_SINKS)
    stage.tokens_file(BOTH)
    blocker = stage.folder / "secrets2" / "platform" / "a"
    at_post(stage, somebody_writes(blocker))
    ran = stage.run("apply", "--yes")
    assert ran.code == 9
    assert "stored in one:platform/a" in ran.out
    (secret,) = stage.secrets().values()
    assert stage.emulator.authenticates(secret) == stage.bot
    assert stage.run("apply", "--yes").code == 5
    blocker.unlink()
    assert stage.run("apply", "--yes").code == 0
    (one,) = stage.secrets().values()
    two = blocker.read_text(encoding="utf-8")
    assert one == two
    assert stage.emulator.authenticates(one) == stage.bot
    stage.pass_time(days=31)
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(days=1)
    assert stage.run("apply", "--yes").code == 0
    assert len(stage.live()["a"]) <= 2


def test_a_roll_back_that_fails_names_the_token(stage: Stage) -> None:
    stage.tokens_file("name: a")
    at_post(stage, somebody_writes(stage.folder / "secrets" / "platform" / "a"))
    fault = Fault(method="DELETE", when="before", action=Status(500, "down"), times=None)
    stage.emulator.faults.add(fault)
    ran = stage.run("apply", "--yes")
    assert ran.code == 9
    (token,) = stage.live()["a"]
    assert token in ran.out


def test_verify_proves_each_new_token(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config("verify: true\n")
    refusing = Fault(
        method="GET", path="/api/users", when="before",
        action=Status(401, "token invalid"), skip=1, times=None,
    )  # fmt: skip
    stage.emulator.faults.add(refusing)
    ran = stage.run("apply", "--yes")
    assert ran.code == 9
    assert "does not accept" in ran.out


def test_a_credential_that_dies_stops_the_run(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(20)))
    (own,) = stage.emulator.tokens(stage.us)
    at_post(stage, lambda: stage.emulator.forget(own.id))
    ran = stage.run("apply", "--yes")
    assert ran.code in (4, 8)
    assert "our credential was refused" in ran.out
    posts = [r for r in stage.emulator.requests if r.method == "POST"]
    assert len(posts) < 20


def test_a_look_that_is_over_begins_no_more_reads(stage: Stage) -> None:
    """Our credential was refused for the first list: those that wait in line are not asked for."""
    users = [stage.emulator.add_user(f"bot-{n}", role="user", service_user=True) for n in range(60)]
    stage.tokens_file(*(f"{{name: a{n}, user: {user}}}" for n, user in enumerate(users)))
    refused = f"/api/users/{min(users)}/tokens"
    stage.emulator.faults.add(Fault(Status(401, "token invalid"), "GET", refused, times=None))
    stage.emulator.faults.add(Fault(Delay(0.4), "GET", "/api/users/*/tokens", times=None))
    assert stage.run("plan").code == 4
    assert len([r for r in stage.emulator.requests if r.path.endswith("/tokens")]) < 50


def test_a_server_that_keeps_failing_is_left_alone(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(40)))
    fault = Fault(method="POST", path="*/tokens", when="before", action=Drop(), times=None)
    stage.emulator.faults.add(fault)
    ran = stage.run("apply", "--yes")
    assert ran.code == 9
    assert "the server keeps failing" in ran.out
    assert len([r for r in stage.emulator.requests if r.method == "POST"]) < 40


def test_a_sink_that_cannot_be_registered_mints_nothing(stage: Stage) -> None:
    stage.tokens_file("name: a")
    outside = stage.folder / "outside"
    outside.mkdir()
    (stage.folder / "secrets").symlink_to(outside)
    ran = stage.run("apply", "--yes")
    assert ran.code in (1, 8)
    assert stage.live() == {}


def test_a_lost_answer_to_a_revoke_is_settled_by_the_next_run(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b", "name: c")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: a", "name: b")
    stage.emulator.faults.add(Fault(method="DELETE", when="after", action=Drop()))
    assert stage.run("apply", "--yes").code == 9
    assert "secrets/platform/c" in stage.secrets()
    ran = stage.run("apply", "--yes")
    assert ran.code == 0
    assert "1 clean" in ran.out
    assert "secrets/platform/c" not in stage.secrets()


@pytest.mark.parametrize("retire", ["when-unused", "after-overlap"])
def test_a_use_between_the_plan_and_the_revoke_saves_an_old_token(stage: Stage, retire: str) -> None:
    entry = "{name: a, expires_in: 30, retire: %s, rotation: %d}"
    stage.tokens_file(entry % (retire, 0))
    stage.run("apply", "--yes")
    (old,) = stage.secrets().values()
    stage.tokens_file(entry % (retire, 1))
    stage.run("apply", "--yes")
    stage.pass_time(days=8)

    def a_consumer_reads_its_old_copy() -> None:
        headers = {"authorization": f"Token {old}"}
        stage.emulator.handle(Request("GET", "/api/users", headers))

    stage.emulator.faults.add(
        Fault(method="GET", path="*/tokens", when="after", action=Call(a_consumer_reads_its_old_copy))
    )
    ran = stage.run("apply", "--yes")
    assert ran.code == 0
    assert ("used since the plan was made" in ran.out) is (retire == "when-unused")
    alive = stage.emulator.authenticates(old)
    assert alive == (stage.bot if retire == "when-unused" else None)
    assert "still uses it" in stage.run("explain", "superseded-in-use").out


def test_an_unread_sink_creates_and_revokes_nothing(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b", "name: c")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    (stage.folder / "secrets" / ".platform.registration.json").write_text("{", encoding="utf-8")
    stage.tokens_file("name: a", "name: new")
    stage.emulator.requests.clear()
    ran = stage.run("apply", "--yes")
    assert ran.code == 1
    assert "Could not look" in ran.out
    assert stage.writes() == []


def test_no_secret_in_argv_or_environment_of_a_hook(stage: Stage) -> None:
    stage.tokens_file("name: a")
    hook = "cat /proc/self/environ /proc/$PPID/cmdline > seen; cat >> seen"
    stage.config(f"hooks: {{deploy: [[sh, -c, '{hook}']]}}\n")
    assert stage.run("apply", "--yes").code == 0
    seen = (stage.folder / "seen").read_text(encoding="utf-8")
    assert not SECRET.search(seen)
    assert seen.endswith("a\n")


def test_at_a_terminal_it_asks_and_shows_progress_and_a_no_changes_nothing(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(5)))
    for answer, code, made in (("n\n", 3, 0), ("y\n", 0, 5)):
        out, status = at_a_terminal(stage, answer, "apply")
        assert "Carry out these 6 actions?" in out
        assert ("applying: 6 of 6" in out) is (code == 0)
        assert status == code
        assert len(stage.live()) == made
        assert not SECRET.search(out)


DAYS = ("0001-01-01", "0002-01-01", "2027-01-01", "8999-12-31")
ROWS = [
    {"id": f"{number:020}", "name": f"t{number}", "created_by": "x", "created_at": f"{made}T00:00:00Z",
     "expiration_date": f"{end}T23:59:59Z", "last_used": used and f"{used}T00:00:00Z"}
    for number, (made, end, used) in enumerate(product(DAYS, (*DAYS, "9999-12-31"), (*DAYS, None)))
]  # fmt: skip


@pytest.mark.parametrize(
    "entry", ["name: {name}", "{{name: {name}, adopt: '{id}'}}", "{{name: {name}, state: absent, reason: x}}",
              "{{name: {name}, adopt: '{id}', expires_on: 9999-12-31, renew_before: 9, overlap: 99}}"]
)  # fmt: skip
def test_rows_with_dates_that_only_a_hand_can_have_written(stage: Stage, entry: str) -> None:
    body = json.dumps(ROWS).encode()
    path = f"/api/users/{stage.bot}/tokens"
    stage.emulator.faults.add(
        Fault(Raw(200, "application/json", body), method="GET", path=path, times=None)
    )
    stage.tokens_file(*(entry.format(**row) for row in ROWS))
    bots = "list --user-id ci-bot -v", "import --user-id ci-bot"
    for command in ("plan -v", "status -v", "drift -v", *bots):
        ran = stage.run(*command.split())
        assert ran.code in (0, 2, 5), ran.err
        assert not re.search(r"(?<!\d)[0-9]-\d\d-\d\d", ran.out)


@pytest.mark.parametrize("field", ["created_at", "last_used"])
def test_what_is_said_to_have_happened_in_the_year_9999(stage: Stage, field: str) -> None:
    body = json.dumps([{**ROWS[-1], field: "9999-12-31T23:59:59Z"}]).encode()
    stage.emulator.faults.add(
        Fault(Raw(200, "application/json", body), path="*/tokens", times=None)
    )
    stage.tokens_file("name: a")
    ran = stage.run("plan")
    assert ran.code == 1
    assert f"tokens[0].{field} is a string, not an instant that has passed" in " ".join(ran.out.split())
