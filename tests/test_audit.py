"""The audit log: who did what to which token, in whole lines, whatever ends the run."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lock_server import LockServer
from staging import SECRET, Stage, command, piped, wait_for
from test_documents import check as fits
from test_harmless import EVIL, is_harmless

from reconciler.commands.audit import AuditLog, by_hand, told, trail
from reconciler.commands.desk import Desk
from reconciler.emulator import Call, Delay, Drop, Fault
from reconciler.emulator import Status as Answer
from reconciler.errors import ExitCode, SinkRefused, SinkUnsure
from reconciler.reports.audit import Account, Deed
from reconciler.transaction import awake_or_not
from reconciler.wiring import Parts, Where

LOG = "audit_log: audit.ndjson\n"


def lines(path: str = "audit.ndjson") -> list[dict[str, Any]]:
    """All lines, each of which fits the schema."""
    found = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    for each in found:
        fits(each, "audit.v1")
    return found


def deeds(kind: str = "ended") -> list[tuple[str, str, str]]:
    """Action, name and result of the actions."""
    return sorted((e["action"], e["name"], e.get("result", "")) for e in lines() if e["type"] == kind)


@pytest.fixture
def logged(stage: Stage) -> Stage:
    stage.config(LOG)
    stage.tokens_file("name: a", "name: b")
    return stage


def test_every_action_is_told_before_and_after(
    logged: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    job = {"SERVER_URL": "https://gh.example", "REPOSITORY": "o/r", "ACTOR": "ada", "SHA": "c0ffee"}
    for name, value in job.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    logged.pass_time(days=200)  # our own clock is off by that
    assert logged.run("apply", "--yes", "--report", "json=r.json").code == 0
    found = lines()
    assert [e["type"] for e in found][0::7] == ["run_began", "run_ended"]
    assert deeds("began") == [("create", "a", ""), ("create", "b", ""), ("register", "local", "")]
    assert {result for _, _, result in deeds()} == {"done"}
    plan = json.loads(Path("r.json").read_text("utf-8"))["plan"]
    for each in found:
        assert each["run"] == found[0]["run"]
        assert (each["actor"], each["commit"]) == ("ada", "c0ffee")
        assert each["run_url"] == "https://gh.example/o/r/actions/runs/7"
        assert each["principal"] == {"id": logged.us, "name": "reconciler"}
        assert (each["set"], each["server"]) == ("platform", logged.url)
        assert (each["change_id"], each["plan_id"]) == (plan["change_id"], plan["plan_id"])
        assert each["at"][:10] == logged.clock.now().date().isoformat()
    made = {e["name"]: e["made"] for e in found if e.get("made")}
    assert {name: [id_] for name, id_ in made.items()} == logged.live()
    assert found[-1]["exit_code"] == 0
    assert stat.S_IMODE(Path("audit.ndjson").stat().st_mode) == 0o600
    before = Path("audit.ndjson").read_bytes()
    logged.pass_time(hours=1)
    logged.run("rotate", "a", "--reason", "x", "--compromised", "--yes")
    logged.run("apply", "--yes")  # nothing to do, nothing to tell
    assert Path("audit.ndjson").read_bytes().startswith(before)
    (renewed,) = [e for e in lines()[8:] if e["type"] == "ended"]
    assert (renewed["action"], renewed["reason"]) == ("renew", "rotate-requested")
    assert [renewed["token"]] == renewed["revokes_at_once"] == [made["a"]]
    assert renewed["places"] == ["local:platform/a"]
    assert not SECRET.search(Path("audit.ndjson").read_text("utf-8"))


def test_outside_of_ci_the_actor_is_who_runs_it(logged: Stage) -> None:
    logged.run("apply", "--yes")
    assert "@" in lines()[0]["actor"]
    assert (lines()[0]["run_url"], lines()[0]["commit"]) == ("", "")


def test_the_commit_is_the_one_that_is_checked_out(logged: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job may check out what its branch says by now."""
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    monkeypatch.setenv("GITHUB_SHA", "c0ffee")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(logged.folder))
    me = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for argv in (("init", "-q"), (*me, "commit", "-q", "--allow-empty", "-m", "later")):
        subprocess.run(["git", *argv], cwd=logged.folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=logged.folder, check=True, capture_output=True)
    assert logged.run("apply", "--yes").code == 0
    assert {each["commit"] for each in lines()} == {head.stdout.decode().strip()}


def test_what_failed_and_what_was_not_started_is_told(logged: Stage) -> None:
    logged.tokens_file("name: a")
    logged.emulator.faults.add(Fault(method="POST", path="*/tokens", when="after", action=Drop()))
    assert logged.run("apply", "--yes").code == 9
    assert ("create", "a", "uncertain") in deeds()
    assert lines()[-1]["exit_code"] == 9
    Path("audit.ndjson").unlink()
    logged.tokens_file(*(f"name: t{n}" for n in range(12)))
    (own,) = logged.emulator.tokens(logged.us)
    forget = Call(lambda: logged.emulator.forget(own.id))
    logged.emulator.faults.add(Fault(method="POST", path="*/tokens", action=forget))
    logged.run("apply", "--yes")
    results = [result for _, _, result in deeds()]
    assert len(results) == 12
    assert "skipped" in results
    assert len(deeds("began")) == 12 - results.count("skipped")


def test_looking_leaves_no_line_and_no_file(logged: Stage) -> None:
    for argv in ("plan", "drift", "status", "validate"):
        logged.run(argv)
    assert not Path("audit.ndjson").exists()


def test_tokens_made_and_revoked_by_hand_are_told(logged: Stage) -> None:
    ran = logged.run("create", "--name", "by hand", "--user-id", "ci-bot", "--show-once")
    assert ran.code == 0
    (token,) = logged.live()["by hand"]
    assert logged.run("create", "--name", "kept", "--sink", "local", "--user-id", "ci-bot").code == 0
    assert logged.run("revoke", token, "--yes").code == 0
    no = Answer(422, "no")
    logged.emulator.faults.add(Fault(no, "POST", path="*/tokens"))
    assert logged.run("create", "--name", "refused", "--show-once").code == 1
    ended = [e for e in lines() if e["type"] == "ended"]
    around = [(e["command"], e["exit_code"]) for e in lines() if e["type"] == "run_ended"]
    assert around == [("create", 0), ("create", 0), ("revoke", 0), ("create", 1)]
    assert [e["type"] for e in lines()] == ["run_began", "began", "ended", "run_ended"] * 4
    assert [e["places"] for e in ended] == [[], ["local:by-hand/kept"], [], []]
    assert [(e["command"], e["action"], e["name"], e["result"]) for e in ended] == [
        ("create", "create", "by hand", "done"),
        ("create", "create", "kept", "done"),
        ("revoke", "revoke", "by hand", "done"),
        ("create", "create", "refused", "failed"),
    ]
    assert (ended[0]["made"], ended[2]["token"]) == (token, token)
    assert {e["set"] for e in lines()} == {None}
    assert len(deeds("began")) == 4
    assert not SECRET.search(Path("audit.ndjson").read_text("utf-8"))


def test_what_hooks_change_is_told_also_where_a_run_does_nothing_else(logged: Stage) -> None:
    """Who took the mark off which receipt, and when."""
    logged.config(LOG + "hooks: {deploy: [[test, -e, works]]}\n")
    assert logged.run("apply", "--yes").code == 10
    assert not [e for e in lines() if e.get("reason") == "deployed"]
    Path("works").touch()
    before = len(lines())
    assert logged.run("apply", "--yes").code == 0
    first, *changes, last = lines()[before:]
    assert (first["type"], last["type"], last["exit_code"]) == ("run_began", "run_ended", 0)
    told = [(e["type"], e["action"], e["name"], e["reason"], e["token"], e["places"]) for e in changes]
    expected = [
        (kind, "amend", name, "deployed", *logged.live()[name], [f"local:platform/{name}"])
        for name in ("a", "b")
        for kind in ("began", "ended")
    ]
    assert told == expected
    assert {e["user"] for e in changes} == {logged.bot}
    assert {e["result"] for e in changes if e["type"] == "ended"} == {"done"}
    assert "deployed" in logged.run("explain", "deployed").out


def test_a_receipt_is_not_changed_without_its_line(logged: Stage) -> None:
    """The log is gone once the hooks have run."""
    logged.tokens_file("name: a")
    Path("log").mkdir()
    hook = "hooks: {deploy: [[sh, -c, 'rm -r log']]}\n"
    logged.config(f"audit_log: log/audit.ndjson\n{hook}")
    ran = logged.run("apply", "--yes", "--report", "json=r.json")
    assert ran.code == json.loads(Path("r.json").read_text("utf-8"))["exit"]["code"] == 1
    assert "the deploy hooks ran, and will run once more: local:platform/a: the audit log" in ran.err
    receipt = next(Path("secrets/platform").glob(".*.netbird-tokens.json")).read_text("utf-8")
    assert json.loads(receipt)["undeployed"] is True


def test_an_interrupted_revoke_finishes_what_it_began_and_says_so(logged: Stage) -> None:
    for name in ("x", "y"):
        logged.emulator.issue(logged.bot, name, days=9)
    ids = [*logged.live()["x"], *logged.live()["y"]]
    there, go_on = threading.Event(), threading.Event()
    wait = Call(lambda: (there.set(), go_on.wait(30)))
    logged.emulator.faults.add(Fault(wait, "DELETE", when="before"))
    process = command(logged, "revoke", *ids, "--yes")
    assert there.wait(20)
    process.terminate()
    assert process.stdout
    next(line for line in process.stdout if "finishing what is in flight" in line)
    go_on.set()
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 143, said
    assert f"not started: interrupted: {ids[1]}" in said
    assert list(logged.live()) == ["y"]
    assert [e["type"] for e in lines()] == ["run_began", "began", "ended", "run_ended"]
    assert (lines()[2]["result"], lines()[3]["exit_code"]) == ("done", 143)


@pytest.mark.parametrize(
    ("error", "result", "text", "code"),
    [
        (KeyboardInterrupt(), "uncertain", "the run broke off", 130),
        (SystemExit(143), "uncertain", "the run broke off", 143),
        (ZeroDivisionError(), "uncertain", "the run broke off", 1),
        (SinkUnsure("it fell silent"), "uncertain", "it fell silent", 1),
        (SinkRefused("it said no"), "failed", "it said no", 1),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
@pytest.mark.parametrize("depth", ["in the deed", "beside it"])
def test_whatever_breaks_an_action_off_its_lines_have_an_end(
    logged: Stage, error: BaseException, result: str, text: str, code: int, depth: str
) -> None:
    parts = Parts(Where(), os.environ)
    kept = trail(parts, "create")
    kept.knows(Account("https://x", {"id": "u", "name": "us"}), datetime.now(UTC), awake_or_not())
    desk = Desk(sys.stdout, sys.stderr, interactive=False, ask=lambda _: False)

    def work() -> ExitCode:
        kept.begins()
        deed = Deed("create", "x", "u")
        if depth == "beside it":
            kept.starts(deed)
            raise error
        with told(kept, deed):
            raise error

    with pytest.raises(type(error)):
        by_hand(kept, desk, work)
    began, _, ended, last = lines()
    assert [began["type"], ended["type"], last["type"]] == ["run_began", "ended", "run_ended"]
    if depth == "in the deed":
        assert (ended["result"], ended["text"]) == (result, text)
    else:
        assert (ended["result"], ended["text"]) == ("uncertain", "the run broke off")
    assert last["exit_code"] == code


def test_the_last_line_has_the_exit_code_also_where_a_report_is_lost(logged: Stage) -> None:
    """Before, it said 0, and the process then exited 1."""
    folder = logged.folder / "reports"
    folder.mkdir()
    logged.emulator.faults.add(Fault(Call(folder.rmdir), "POST"))
    ran = logged.run(
        "apply", "--yes", "--report", "json=reports/r.json", "--report", "json=kept.json"
    )
    kept = json.loads(Path("kept.json").read_text("utf-8"))
    assert (ran.code, kept["exit"]["code"], lines()[-1]["exit_code"]) == (1, 1, 1)


def test_a_lock_that_is_freed_by_hand_is_told(logged: Stage) -> None:
    with LockServer("terraform").served() as server:
        logged.config(LOG + server.config)
        assert logged.run("unlock", "run-7", "--yes").code == 0
        assert lines() == [], "nobody held it"
        server.held = {"ID": "run-7", "Who": "ci", "Created": "2026-11-24T09:00:00Z"}
        assert logged.run("unlock", "run-8", "--yes").code == 7
        assert logged.run("unlock", "run-7").code == 3
        assert lines() == [], "nothing was begun"
        assert logged.run("unlock", "run-7", "--yes").code == 0
    told = [(e["type"], e["command"], e.get("action"), e.get("name"), e.get("result")) for e in lines()]
    assert told == [
        ("run_began", "unlock", None, None, None),
        ("began", "unlock", "unlock", "run-7", None),
        ("ended", "unlock", "unlock", "run-7", "done"),
        ("run_ended", "unlock", None, None, None),
    ]


@pytest.mark.parametrize(
    "argv", ["apply --yes", "rotate a --reason x --yes", "create --name x --show-once", "revoke x --yes"]
)
@pytest.mark.parametrize("place", ["missing/a.ndjson", ".", "link", "pipe"])
def test_a_log_that_cannot_be_opened_stops_everything(
    stage: Stage, place: str, argv: str
) -> None:
    stage.tokens_file("name: a")
    stage.config(f"audit_log: {place}\n")
    Path("link").symlink_to("elsewhere")
    os.mkfifo("pipe")
    ran = stage.run(*argv.split())
    assert ran.code == 3
    assert f"the audit log {place} cannot be written" in ran.err
    assert stage.emulator.requests == []


def test_a_log_on_a_full_disk_stops_a_run_before_its_first_action(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config(LOG)
    ran = piped(stage, 'ulimit -f 0; "$@"', "apply", "--yes")
    assert ran.returncode == 1
    assert "audit.ndjson was not written: File too large" in ran.stderr
    assert stage.writes() == []


def test_a_log_that_fills_up_stops_what_has_not_begun(logged: Stage) -> None:
    """There is room for the line of the run, and for a part of the next."""
    logged.tokens_file("name: a")
    logged.run("apply", "--yes")
    first = len(Path("audit.ndjson").read_text("utf-8").splitlines()[0])
    logged.tokens_file("name: a", "name: b")
    Path("audit.ndjson").write_text(f"{'x' * (4096 - first - 100)}\n", "utf-8")
    ran = piped(logged, 'ulimit -f 8; "$@"', "apply", "--yes")
    assert ran.returncode == 8
    assert "audit.ndjson was not written: only a part of a line was" in ran.stdout
    assert sorted(logged.live()) == ["a"]
    assert logged.run("apply", "--yes").code == 0
    assert sorted(logged.live()) == ["a", "b"]
    _, began, cut, *rest = Path("audit.ndjson").read_text("utf-8").splitlines()
    assert json.loads(began)["type"] == "run_began"
    assert not cut.endswith("}"), "what was cut off stays a line of its own"
    assert [json.loads(line)["type"] for line in rest] == ["run_began", "began", "ended", "run_ended"]


def test_what_is_done_stays_done_though_its_second_line_is_lost(logged: Stage) -> None:
    logged.tokens_file("name: a")
    logged.run("apply", "--yes")
    written = Path("audit.ndjson").read_text("utf-8").splitlines()
    room = len(written[0]) + max(len(line) for line in written if '"began"' in line) + 100
    logged.tokens_file("name: a", "name: b")
    Path("audit.ndjson").write_text(f"{'x' * (4096 - room)}\n", "utf-8")
    ran = piped(logged, 'ulimit -f 8; "$@"', "apply", "--yes", "--report", "json=r.json")
    assert ran.returncode == json.loads(Path("r.json").read_text("utf-8"))["exit"]["code"] == 1
    assert "error: the audit log" in ran.stderr
    assert "Applied: 1 done." in ran.stdout
    assert sorted(logged.live()) == ["a", "b"]


def test_a_killed_run_leaves_what_it_began(logged: Stage) -> None:
    logged.tokens_file(*(f"name: t{n}" for n in range(20)))
    slow = Delay(0.3)
    logged.emulator.faults.add(Fault(slow, "POST", path="*/tokens", times=None, when="after"))
    process = command(logged, "apply", "--yes")
    wait_for(logged.live)
    process.kill()
    process.communicate(timeout=20)
    assert logged.live().keys() <= {name for _, name, _ in deeds("began")}
    assert lines()[-1]["type"] != "run_ended"


def _append(path: str, name: str) -> None:
    log = AuditLog(Path(path))
    for number in range(50):
        log.append(json.dumps({"name": name, "number": number, "x": "y" * 3000}) + "\n")


def test_several_processes_write_whole_lines(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append, args=(path, name)) for name in "abcd"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    assert sorted((e["name"], e["number"]) for e in found) == [(n, i) for n in "abcd" for i in range(50)]


def test_hostile_names_stay_within_their_line(logged: Stage) -> None:
    secret = logged.emulator.issue(logged.bot, "x", days=3)
    for name in (*EVIL, secret):
        logged.emulator.issue(logged.bot, name, days=30)
    with Path("tokens.yaml").open("a", encoding="utf-8") as file:
        file.write("unmanaged: {action: revoke}\n")
    logged.pass_time(hours=1)
    doomed = [word for token in logged.emulator.tokens(logged.bot) for word in ("--allow-revoke", token.id)]
    logged.run("apply", "--yes", *doomed)
    is_harmless(Path("audit.ndjson").read_text("utf-8"))
    assert not SECRET.search(Path("audit.ndjson").read_text("utf-8"))
    assert sum(action == "revoke" for action, _, _ in deeds()) == len(EVIL) + 2


def test_the_log_is_where_the_config_says(stage: Stage) -> None:
    stage.tokens_file("name: a")
    ops = stage.folder / "ops"
    ops.mkdir()
    stage.config("audit_log: log/a.ndjson\n")
    (ops / "log").mkdir()
    config = Path(".netbird-tokens.yaml").rename(ops / "config.yaml")
    assert stage.run("apply", "--yes", "--config", str(config)).code == 0
    assert len(lines("ops/log/a.ndjson")) == 6
    shown = subprocess.run(
        [sys.executable, "-m", "reconciler", "doctor", "--show-config", "--config", str(config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "audit_log" in shown.stdout
