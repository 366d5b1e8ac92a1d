"""apply, renew, rotate: whatever ends them, exactly one report says so, in every format."""

from __future__ import annotations

import io
import json
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gallery import check
from staging import SECRET, Stage, at_a_terminal, command, staged, wait_for
from test_documents import check as fits
from worlds import inventory, place, spec, world

from reconciler.cli.options import desk
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output
from reconciler.commands.record import Record
from reconciler.commands.reporting import recorded
from reconciler.core.outcome import Result
from reconciler.core.outcome import Status as Ended
from reconciler.core.planner import make_plan
from reconciler.emulator import Call, Clock, Delay, Drop, Fault, Status
from reconciler.errors import ExitCode
from reconciler.locks import Holder
from reconciler.locks.file import FileLock
from reconciler.reports import markdown
from reconciler.reports.exits import EXITS
from reconciler.reports.json import Ending, plan_document, report_document

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Stage]:
    clock = Clock(START)
    clock.freeze()
    with staged(tmp_path / "work", monkeypatch, capsys, clock) as stage:
        yield stage


def done(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")


def nothing_to_do(stage: Stage) -> None:
    done(stage)
    stage.run("apply", "--yes")


def incomplete(stage: Stage) -> None:
    stage.tokens_file("{name: a, user: nobody}")


def partly_incomplete(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, user: nobody}")


def guard(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(6)))
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: t0", "name: t1")


def blocked(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, protect: true}", "name: c")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: a", "name: c")


def stale(stage: Stage) -> None:
    done(stage)
    stage.run("plan", "--out", "plan.json")
    stage.run("apply", "--yes")
    stage.emulator.forget(stage.live()["b"][0])


def altered(stage: Stage) -> None:
    done(stage)
    stage.run("plan", "--out", "plan.json")
    path = stage.folder / "plan.json"
    path.write_text(path.read_text("utf-8").replace('"name": "b"', '"name": "evil"'), "utf-8")


def locked(stage: Stage) -> None:
    done(stage)
    stage.config("lock: {type: file, path: run.lock}\n")
    FileLock(stage.folder / "run.lock").take(Holder("id", "apply", who="somebody@else"))


def server_refuses(stage: Stage) -> None:
    done(stage)
    no = Status(422, "no more tokens\x1b[2J today")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", action=no))


def sink_refuses(stage: Stage) -> None:
    stage.tokens_file("name: a")
    place = stage.folder / "secrets" / "platform"

    def foreign_value_appears() -> None:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / "a").write_text("somebody's", encoding="utf-8")
        (place / "a").chmod(0o600)

    stage.emulator.faults.add(
        Fault(method="POST", path="*/tokens", action=Call(foreign_value_appears))
    )


def uncertain(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", when="after", action=Drop()))


def hook(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config("hooks: {deploy: [['false']]}\n")


def no_credential(stage: Stage) -> None:
    done(stage)
    for token in stage.emulator.tokens(stage.us):
        stage.emulator.forget(token.id)


def credential_dies(stage: Stage) -> None:
    nothing_to_do(stage)
    stage.tokens_file("name: a", "name: b", "name: c")
    (own,) = stage.emulator.tokens(stage.us)
    forget = Call(lambda: stage.emulator.forget(own.id))
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", action=forget))


def invalid_file(stage: Stage) -> None:
    stage.tokens_file("{name: a, expries_in: 3}", "{name: b, expires_in: 0}")


def unreachable(stage: Stage) -> None:
    done(stage)
    stage.emulator.faults.add(Fault(path="/api/users", action=Status(400, "no"), times=None))


def no_file(_: Stage) -> None:
    return None


def due(stage: Stage) -> None:
    nothing_to_do(stage)
    stage.pass_time(days=80)
    stage.tokens_file("name: a", "name: b", "name: new")


@dataclass(frozen=True)
class Run:
    """How a run ends: exit code, kind of error (empty: none), statuses of its actions in plan order."""

    prepare: Callable[[Stage], None]
    argv: str
    code: int
    kind: str
    results: str = ""


RUNS = {
    "done": Run(done, "apply --yes", 0, "", "done done done"),
    "nothing-to-do": Run(nothing_to_do, "apply --yes", 0, ""),
    "due": Run(due, "renew --yes", 0, "", "done done"),
    "rotated": Run(nothing_to_do, "rotate a --reason leak --compromised --yes", 0, "", "done"),
    "incomplete": Run(incomplete, "apply --yes", 1, ""),
    "partly-incomplete": Run(partly_incomplete, "apply --yes", 1, "", "done done"),
    "unreachable": Run(unreachable, "apply --yes", 1, "rejected"),
    "nobody-to-ask": Run(done, "apply", 3, "unconfirmed", "skipped skipped skipped"),
    "invalid-file": Run(invalid_file, "apply --yes", 3, "input-error"),
    "no-file": Run(no_file, "renew --yes", 3, "usage-error"),
    "no-such-name": Run(done, "rotate c --reason x --yes", 3, "usage-error"),
    "no-credential": Run(no_credential, "apply --yes", 4, "unauthenticated"),
    "credential-dies": Run(credential_dies, "apply --yes", 4, "", "failed"),
    "guard": Run(guard, "apply --yes", 5, "guard-stop", "skipped skipped skipped skipped"),
    "blocked": Run(blocked, "apply --yes", 5, ""),
    "stale": Run(stale, "apply plan.json", 6, "plan-mismatch", "skipped"),
    "altered": Run(altered, "apply plan.json", 6, "plan-mismatch", "skipped skipped skipped"),
    "not-approved": Run(
        done, "apply --approved-change sha256:0", 6, "plan-mismatch", "skipped skipped skipped"
    ),
    "locked": Run(locked, "apply --yes", 7, "lock-held"),
    "server-refuses": Run(server_refuses, "apply --yes", 8, "", "done failed done"),
    "sink-refuses": Run(sink_refuses, "apply --yes", 8, "", "done rolled-back"),
    "uncertain": Run(uncertain, "apply --yes", 9, "", "done uncertain"),
    "hook": Run(hook, "apply --yes", 10, "", "done done"),
}
VARYING = {"server-refuses", "sink-refuses"}  # which of two it was is chance; a path of this machine


@pytest.mark.parametrize("name", RUNS)
def test_one_report_says_how_it_ended(stage: Stage, name: str) -> None:
    run = RUNS[name]
    run.prepare(stage)
    reports = ("--report", "text=run.txt", "--report", "markdown=run.md", "--report", "json=run.json")
    ran = stage.run(*run.argv.split(), "--format", "json", *reports)
    document = json.loads(ran.out)
    fits(document, "report.v1")
    assert (ran.code, document["exit"]["code"]) == (run.code, run.code)
    assert (document["stopped"] or {"kind": ""})["kind"] == run.kind
    assert sorted(r["status"] for r in document["results"]) == sorted(run.results.split())
    assert document["interrupted"] is False
    assert sum(document["summary"].values()) == len(document["results"])
    assert document["exit"]["next"] == EXITS[ExitCode(run.code)].next
    assert (stage.folder / "run.json").read_text("utf-8") == ran.out
    for kind in ("txt", "md") if name not in VARYING else ():
        check(f"runs/{name}.{kind}", (stage.folder / f"run.{kind}").read_text("utf-8"))
    assert not SECRET.search("".join(stage.said))


@pytest.mark.parametrize("name", RUNS)
def test_text_ends_with_what_to_do(stage: Stage, name: str) -> None:
    run = RUNS[name]
    run.prepare(stage)
    ran = stage.run(*run.argv.split())
    assert ran.code == run.code
    last = EXITS[ExitCode(run.code)].next
    if run.kind and not EXITS[ExitCode(run.code)].retry:
        assert re.search(r"^error: |in the input$", ran.err, re.MULTILINE)  # whose hint says more
    elif last:
        assert (ran.err if run.kind else ran.out).rstrip().endswith(last)
    assert "\x1b" not in ran.out + ran.err


def test_markdown_is_one_document_too(stage: Stage) -> None:
    guard(stage)
    ran = stage.run("apply", "--yes", "--format", "markdown")
    assert ran.out.startswith("<!-- netbird-tokens:platform:apply -->\n### NetBird tokens `platform`: apply")
    assert "--allow-revoke t2" in ran.out
    assert ran.out.count("### ") == 1


def test_what_is_no_result_goes_to_stderr(stage: Stage) -> None:
    done(stage)
    ran = stage.run("apply", "--yes", "--format", "json")
    assert "The file asks for" in ran.err
    assert "✔ created a" in ran.err
    assert json.loads(ran.out)["summary"]["done"] == 3


def test_a_report_that_cannot_be_written_is_refused_before_anything(stage: Stage) -> None:
    done(stage)
    for path in ("missing/r.json", "."):
        ran = stage.run("apply", "--yes", "--report", f"json={path}")
        assert ran.code == 3
        assert "cannot be written" in ran.err
    assert stage.live() == {}


def test_a_report_that_could_not_be_written_in_the_end_is_an_error(stage: Stage) -> None:
    done(stage)
    folder = stage.folder / "reports"
    folder.mkdir()
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", action=Call(folder.rmdir)))
    ran = stage.run("apply", "--yes", "--format", "json", "--report", "json=reports/r.json")
    assert "reports/r.json" in ran.err
    assert ran.code == json.loads(ran.out)["exit"]["code"] == 1
    assert sorted(stage.live()) == ["a", "b"]


def test_reports_go_into_devices_and_pipes_without_replacing_them(stage: Stage) -> None:
    done(stage)
    before = Path("/dev/null").stat().st_rdev
    assert stage.run("apply", "--yes", "--report", "json=/dev/null").code == 0
    assert Path("/dev/null").stat().st_rdev == before


def test_a_no_at_the_terminal_is_reported(stage: Stage) -> None:
    done(stage)
    out, status = at_a_terminal(stage, "n\n", "apply", "--report", "json=r.json")
    document = json.loads((stage.folder / "r.json").read_text("utf-8"))
    fits(document, "report.v1")
    assert status == document["exit"]["code"] == 3
    assert document["stopped"]["kind"] == "unconfirmed"
    assert {result["status"] for result in document["results"]} == {"skipped"}
    assert "declined; nothing was changed" in out


def test_an_input_that_ends_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert desk().ask("Carry out?") is False


def test_ctrl_c_at_the_question_is_reported(stage: Stage) -> None:
    done(stage)
    out, status = at_a_terminal(stage, "\x03", "apply", "--report", "json=r.json")
    document = json.loads((stage.folder / "r.json").read_text("utf-8"))
    fits(document, "report.v1")
    assert status == document["exit"]["code"] == 130
    assert document["interrupted"] is True
    assert document["stopped"]["message"] == "interrupted; nothing was changed"
    assert EXITS[ExitCode.INTERRUPTED].next in out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_looks_is_reported(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    done(stage)
    begun = stage.folder / "begun"
    for action in (Call(begun.touch), Delay(1)):
        stage.emulator.faults.add(Fault(path="/api/users", action=action))
    document = signalled(stage, number, begun.exists)
    assert document["exit"]["code"] == code
    assert document["interrupted"] is True
    assert document["plan"] is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_works_is_reported(
    stage: Stage, number: signal.Signals, code: int
) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(40)))
    stage.emulator.faults.add(
        Fault(method="POST", path="*/tokens", action=Delay(0.2), times=None)
    )
    document = signalled(stage, number, stage.live)
    assert document["exit"]["code"] == code
    assert document["interrupted"] is True
    assert document["stopped"] is None
    assert document["summary"]["done"] == len(stage.live()) + 1
    assert document["summary"]["skipped"] == 40 - len(stage.live())


def signalled(stage: Stage, number: signal.Signals, when: Callable[[], object]) -> dict[str, Any]:
    """The report of an apply that gets a signal."""
    process = command(stage, "apply", "--yes", "--report", "json=r.json")
    wait_for(when)
    process.send_signal(number)
    process.communicate(timeout=20)
    document: dict[str, Any] = json.loads((stage.folder / "r.json").read_text("utf-8"))
    fits(document, "report.v1")
    assert process.returncode == document["exit"]["code"]
    return document


def test_every_line_of_markdown_is_ours(stage: Stage) -> None:
    """No text of others begins a line, where it might be a heading, a list or a command."""
    stage.emulator.issue(stage.bot, "\n# heading\n/close\n- @all", days=3)
    stage.tokens_file("name: '/close @all #1'")
    stage.run("apply", "--yes", "--report", "markdown=r.md")
    for line in (stage.folder / "r.md").read_text("utf-8").splitlines():
        assert not re.match(r"\s*(/close|# heading|- @)", line)
        assert not re.search(r"@all|#1\b", line)


def broken_off(ended_by: type[BaseException], *, began: bool) -> dict[str, Any]:
    """The report of a run that broke off when one of its three actions had been told."""
    plan = make_plan(world([spec("a"), spec("b")], sinks=inventory(registered=False)))
    out = io.StringIO()
    nobody = Desk(out, io.StringIO(), interactive=False, ask=lambda _: False)
    record = Record("apply", nobody, Output("json"), plan, began)

    def work() -> ExitCode:
        if began:
            record.told.append(Result(plan.effects[0], Ended.DONE))
        raise ended_by

    with pytest.raises(ended_by):
        recorded(record, work)
    document: dict[str, Any] = json.loads(out.getvalue())
    fits(document, "report.v1")
    return document


@pytest.mark.parametrize(
    ("ended_by", "kind", "code"),
    [
        (ZeroDivisionError, "defect", 1),
        (KeyboardInterrupt, "interrupted", 130),
        (SystemExit, "interrupted", 143),
    ],
)
def test_whatever_breaks_a_run_off_is_reported(
    ended_by: type[BaseException], kind: str, code: int
) -> None:
    document = broken_off(ended_by, began=False)
    assert document["exit"]["code"] == code
    assert document["stopped"]["kind"] == kind
    assert document["stopped"]["message"].endswith("nothing was changed")
    assert document["summary"]["skipped"] == 3
    document = broken_off(ended_by, began=True)
    assert "nothing was changed" not in document["stopped"]["message"]
    assert [r["status"] for r in document["results"]] == ["done", "uncertain", "uncertain"]


def test_a_comment_keeps_its_budget_and_says_what_was_cut() -> None:
    many = [spec(f"token {n}", places=(place(f"token-{n}"),)) for n in range(1500)]
    plan = plan_document(make_plan(world(many)))
    results = [Result(effect, Ended.SKIPPED, "not started") for effect in make_plan(world(many)).effects]
    report = report_document("apply", plan, results, Ending(ExitCode.STOPPED))
    for comment in (markdown.plan(plan), markdown.report(report)):
        assert len(comment) < 65_536
        assert re.search(r"and \d+ more: see the job's log", comment)
