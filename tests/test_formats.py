"""What other programs read of a run: each format by its own schema, or by a parser that is not ours."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import junitparser
import pytest
from prometheus_client.parser import text_string_to_metric_families
from readers import Command, commands_of, outputs_of
from staging import HEAD, SECRET, Stage, command, wait_for
from test_documents import check as fits
from test_harmless import EVIL, is_harmless
from worlds import held, place, spec, token, world

from reconciler.cli.options import RUN_FORMATS
from reconciler.core.outcome import Result, Status
from reconciler.core.planner import make_plan
from reconciler.emulator import Delay, Fault
from reconciler.emulator import Status as Answer
from reconciler.errors import ExitCode
from reconciler.reports import events, github, junit, markdown, prometheus, tables
from reconciler.reports import json as documents
from reconciler.reports.formats import FORMATS
from reconciler.reports.json import Ending, plan_document, report_document
from reconciler.reports.style import Style

CODE_QUALITY = {  # GitLab's documentation, "Code Quality report format"
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string"},
            "check_name": {"type": "string"},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string"},
                    "lines": {"type": "object", "required": ["begin"],
                              "properties": {"begin": {"type": "integer"}}},
                },
            },
        },
    },
}  # fmt: skip


def report(stage: Stage, *argv: str, form: str) -> str:
    path = Path(f"report.{form}")
    path.unlink(missing_ok=True)
    stage.run(*argv, "--report", f"{form}={path}")
    return path.read_text("utf-8")


def samples(text: str) -> dict[str, float]:
    """What a Prometheus reads: each sample once, by its name and labels in order."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            name = f"{sample.name.removeprefix('netbird_tokens_')}{{{labels}}}"
            assert name not in found
            found[name] = sample.value
    return found


def lines(path: str | Path) -> list[dict[str, Any]]:
    """Events, each of which fits the schema."""
    found = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    for each in found:
        fits(each, "events.v1")
    assert [each["type"] == "version" for each in found] == [True] + [False] * (len(found) - 1)
    return found


def test_the_command_line_offers_what_there_is() -> None:
    assert sorted(RUN_FORMATS) == sorted([*FORMATS, "events"])


def test_only_a_run_has_formats_of_a_run(stage: Stage) -> None:
    for argv in (["list"], ["show", "tokens.yaml"]):
        stage.tokens_file("name: a")
        ran = stage.run(*argv, "--report", "junit=x")
        assert ran.code == 3
        assert "FORMAT one of text, json, markdown" in ran.err
    assert stage.run("plan", "--report", "junit=").code == 3


# --- GitHub ---


def annotations(stage: Stage, *argv: str) -> list[Command]:
    return commands_of(stage.run(*argv, "--ci", "github").err)


def test_problems_of_files_are_annotations_at_their_place(stage: Stage) -> None:
    stage.tokens_file("{name: a, expries_in: 3}", "name: b", "{name: c, expires_on: 2020-01-01}")
    for argv in ("validate", "plan", "apply --yes", "drift"):
        problem, warning = annotations(stage, *argv.split())
        assert (problem.name, warning.name) == ("error", "warning")
        assert problem.properties == {
            "file": "tokens.yaml", "line": "6", "col": "15", "title": "netbird-tokens: NB104",
        }  # fmt: skip
        assert problem.message.startswith('unknown key "expries_in"; did you mean "expires_in"?; rename')
    stage.tokens_file("{name: c, expires_on: 2020-01-01}")
    (problem,) = annotations(stage, "validate")
    assert (problem.name, problem.properties["line"]) == ("warning", "6")


def test_a_warning_hides_no_error(stage: Stage) -> None:
    stage.tokens_file("{name: c, expires_on: 2020-01-01}")
    stage.emulator.faults.add(Fault(Answer(400, "no"), path="/api/users", times=None))
    error, warning = annotations(stage, "plan")
    assert (error.properties["title"], warning.name) == ("netbird-tokens: rejected", "warning")


def test_files_are_named_from_the_root_of_the_repository(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.tokens_file("{name: a, expries_in: 3}")
    monkeypatch.setenv("GITHUB_RUN_ID", "1")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(stage.folder.parent))
    (problem,) = annotations(stage, "validate")
    assert problem.properties["file"] == "work/tokens.yaml"
    quality = json.loads(report(stage, "validate", form="gitlab-codequality"))
    assert quality[0]["location"]["path"] == "work/tokens.yaml"
    monkeypatch.setenv("GITHUB_WORKSPACE", "/elsewhere")
    (problem,) = annotations(stage, "validate")
    assert problem.properties["file"] == "tokens.yaml"


def test_of_each_level_ten_are_shown_and_the_tenth_says_how_many_more(stage: Stage) -> None:
    stage.tokens_file(*(f"{{name: n{n}, x: 1}}" for n in range(30)))
    found = annotations(stage, "validate")
    assert [each.name for each in found] == ["error"] * 10
    assert found[-1].message == "and 21 more; the log of this step has them"


def test_guards_blocked_entries_and_failed_actions_are_annotations(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(6)), "{name: p, protect: true}")
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("name: t0", "name: t1")
    guard, blocked = annotations(stage, "plan")
    assert guard.properties == {"title": "netbird-tokens: guard max_revokes"}
    assert "--allow-revoke t2" in guard.message
    assert blocked.properties["title"] == "netbird-tokens: blocked: protected"
    stopped, blocked = annotations(stage, "apply", "--yes")
    assert stopped.properties["title"] == "netbird-tokens: guard-stop"
    stage.tokens_file(*(f"name: t{n}" for n in range(6)), "{name: p, protect: true}", "name: new")
    no = Answer(422, "no more\n::warning::today")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", action=no))
    (failed,) = annotations(stage, "apply", "--yes")
    assert failed.properties == {
        "file": "tokens.yaml", "line": "13", "col": "5", "title": "netbird-tokens: create failed",
    }  # fmt: skip
    assert failed.message.startswith("new: ")


def test_github_is_told_where_it_runs_us_and_only_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.tokens_file("{name: a, expries_in: 3}")
    monkeypatch.setenv("GITHUB_OUTPUT", str(stage.folder / "outputs"))
    Path("outputs").write_text("theirs=1", "utf-8")
    assert commands_of(stage.run("plan").err) == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert len(commands_of(stage.run("plan").err)) == 1
    assert commands_of(stage.run("plan", "--ci", "none").err) == []
    found = outputs_of(Path("outputs").read_text("utf-8"))
    assert found == {"theirs": "1", "changes": "", "creates": "", "renews": "", "revokes": "",
                     "change_id": "", "plan_id": "", "exit_code": "3"}  # fmt: skip


def test_outputs_of_a_step_are_added_to_its_file(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    stage.run("plan", "--detailed-exitcode", "--report", "github-output=o", "--report", "json=p.json")
    plan = json.loads(Path("p.json").read_text("utf-8"))
    assert outputs_of(Path("o").read_text("utf-8")) == {
        "changes": "3", "creates": "2", "renews": "0", "revokes": "0",
        "change_id": plan["change_id"], "plan_id": plan["plan_id"], "exit_code": "2",
    }  # fmt: skip
    stage.run("apply", "--yes", "--report", "github-output=o")
    assert Path("o").read_text("utf-8").count("exit_code=") == 2
    assert outputs_of(Path("o").read_text("utf-8"))["exit_code"] == "0"


def test_the_summary_of_a_step_is_added_to(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tokens_file("name: a")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(stage.folder / "summary"))
    Path("summary").write_text("# theirs", "utf-8")
    stage.run("plan", "--report", "markdown=summary", "--report", "markdown=comment")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary")
    assert stage.run("plan", "--report", "markdown=summary").code == 0
    comment = Path("comment").read_text("utf-8")
    assert Path("summary").read_text("utf-8") == f"# theirs\n\n{comment}\n{comment}"


# --- GitLab ---


def test_the_widget_of_a_merge_request(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b", "{name: c, protect: true}")
    assert json.loads(report(stage, "plan", form="gitlab")) == {"create": 3, "update": 0, "delete": 0}
    stage.run("apply", "--yes")
    stage.pass_time(hours=1)
    stage.tokens_file("{name: b, rotation: 1}", "name: c")
    assert json.loads(report(stage, "plan", form="gitlab")) == {"create": 0, "update": 2, "delete": 1}
    stage.tokens_file("nme: b")
    assert json.loads(report(stage, "plan", form="gitlab")) == {}, "GitLab says that the report failed"


def test_code_quality(stage: Stage) -> None:
    stage.tokens_file("{name: a, x: 1}", "{name: a2, x: 1}", "{name: c, expires_in: 0}")
    found = json.loads(report(stage, "validate", form="gitlab-codequality"))
    jsonschema.Draft7Validator(CODE_QUALITY).validate(found)
    assert [each["location"]["lines"]["begin"] for each in found] == [6, 7, 8]
    prints = [each["fingerprint"] for each in found]
    assert len(set(prints)) == 3
    stage.tokens_file("name: new", "{name: a, x: 1}", "{name: a2, x: 1}", "{name: c, expires_in: 0}")
    moved = json.loads(report(stage, "validate", form="gitlab-codequality"))
    assert [each["fingerprint"] for each in moved] == prints
    stage.tokens_file("name: a")
    assert report(stage, "validate", form="gitlab-codequality") == "[]\n"


# --- JUnit ---


def suite(text: str) -> dict[str, list[tuple[str, str]]]:
    """Cases by their kind: what junitparser reads, counted as the suite says."""
    found: dict[str, list[tuple[str, str]]] = {}
    (read,) = junitparser.JUnitXml.fromstring(text.encode())
    for case in read:
        kind = type(case.result[0]).__name__.lower() if case.result else "passed"
        found.setdefault(kind, []).append((case.classname.removeprefix("netbird-tokens."), case.name))
    counts = {"failure": read.failures, "error": read.errors, "skipped": read.skipped}
    assert {kind: len(cases) for kind, cases in found.items() if kind != "passed"} == {
        kind: count for kind, count in counts.items() if count
    }
    assert read.tests == sum(map(len, found.values()))
    return found


def test_junit(stage: Stage) -> None:
    stage.tokens_file("name: a", "{name: b, user: nobody}")
    found = suite(report(stage, "plan", form="junit"))
    assert next(name for _, name in found["failure"]) == "could not look"
    assert ("create", "a") in found["skipped"]
    no = Answer(422, "no")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", action=no))
    found = suite(report(stage, "apply", "--yes", form="junit"))
    assert ("create", "a") in found["failure"]
    assert ("register", "sink local") in found["passed"]
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    assert "failure" not in suite(report(stage, "drift", form="junit"))
    stage.emulator.issue(stage.bot, "by hand", days=3)
    assert ("unmanaged", "by hand") in suite(report(stage, "drift", form="junit"))["failure"]
    assert ("unmanaged", "by hand") in suite(report(stage, "plan", form="junit"))["passed"]
    stage.tokens_file("nme: a")
    assert suite(report(stage, "validate", form="junit")).keys() == {"failure"}
    stage.tokens_file("name: a")
    assert suite(report(stage, "validate", form="junit")) == {"passed": [("run", "validate")]}


# --- Prometheus ---


def test_metrics_of_runs_gather_in_one_file_that_everybody_may_read(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    began = time.time()
    Path("m.prom").touch(mode=0o600)
    argv = ("--report", "prometheus=m.prom")
    stage.run("apply", "--yes", *argv)
    assert stat.S_IMODE(Path("m.prom").stat().st_mode) == 0o644
    found = samples(Path("m.prom").read_text("utf-8"))
    assert found["last_run_exit_code{command=apply}"] == 0
    assert began - 1 <= found["last_run_timestamp_seconds{command=apply}"] <= time.time()
    assert found["actions{action=create,result=done}"] == 2
    assert found["actions{action=revoke,result=uncertain}"] == 0
    expires = "token_expires_timestamp_seconds{name=a,set=platform,user=ci-bot}"
    (live,) = [t for t in stage.emulator.tokens(stage.bot) if t.name == "a"]
    assert abs(found[expires] - live.expires_at.timestamp()) < 60
    assert "drift" not in "".join(found)
    stage.emulator.issue(stage.bot, "by hand", days=3)
    stage.run("drift", *argv)
    found = samples(Path("m.prom").read_text("utf-8"))
    assert found["drift{class=unmanaged}"] == 1
    assert found["drift{class=missing}"] == 0
    assert found["last_look_complete{}"] == 1
    assert found["last_success_timestamp_seconds{command=drift}"] > 0, "2 is an answer"
    assert found["actions{action=create,result=done}"] == 2
    assert found[expires] == int(live.expires_at.timestamp())


def test_what_a_run_could_not_see_stays_in_the_metrics(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    stage.run("apply", "--yes")
    argv = ("--report", "prometheus=m.prom")
    stage.run("drift", *argv)
    before = samples(Path("m.prom").read_text("utf-8"))
    no = Answer(403, "no")
    stage.emulator.faults.add(Fault(no, "GET", path=f"/api/users/{stage.bot}/tokens", times=None))
    stage.run("drift", *argv)
    found = samples(Path("m.prom").read_text("utf-8"))
    assert (found["last_run_exit_code{command=drift}"], found["last_look_complete{}"]) == (1, 0)
    assert "last_success_timestamp_seconds{command=drift}" in found
    ends = {key: value for key, value in before.items() if key.startswith("token_expires")}
    assert len(ends) == 2
    assert ends.items() <= found.items()
    stage.tokens_file("nme: a")
    stage.run("apply", "--yes", *argv)
    found = samples(Path("m.prom").read_text("utf-8"))
    assert found["last_run_exit_code{command=apply}"] == 3
    assert "last_success_timestamp_seconds{command=apply}" not in found
    assert ends.items() <= found.items()
    stage.emulator.faults.clear()
    stage.tokens_file("name: a")
    stage.run("status", *argv)
    found = samples(Path("m.prom").read_text("utf-8"))
    assert sum(key.startswith("token_expires") for key in found) == 1


def test_an_odd_file_of_metrics_costs_nothing_but_what_was_in_it(stage: Stage) -> None:
    stage.tokens_file("name: a")
    Path("m.prom").write_bytes(b'netbird_tokens_drift{class="x} 1\n\xff\nup 1\nnetbird_tokens_actions 1 2\n')
    stage.run("drift", "--report", "prometheus=m.prom")
    found = samples(Path("m.prom").read_text("utf-8"))
    assert not {"up{}", "actions{}"} & found.keys()
    assert found["drift{class=missing}"] == 1


# --- events ---


def test_events_tell_of_a_run_from_its_first_to_its_last_moment(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    Path("e").write_text("an older and much longer story\n" * 99, "utf-8")
    stage.run("apply", "--yes", "--report", "events=e", "--report", "json=r.json")
    found = lines("e")
    kinds = [each["type"] for each in found]
    assert kinds[:2] == ["version", "plan"]
    assert kinds[-1] == "run_ended"
    assert sorted(kinds[2:-1]) == ["action_finished"] * 3 + ["action_started"] * 3
    ended = json.loads(Path("r.json").read_text("utf-8"))
    assert found[-1]["exit"] == ended["exit"]
    results = [each for each in found if each["type"] == "action_finished"]
    told = [{key: each[key] for key in ended["results"][0]} for each in results]
    assert sorted(told, key=str) == sorted(ended["results"], key=str)
    for each in results:
        assert each["name"] in {e["name"] for e in found[: found.index(each)] if "name" in e}


@pytest.mark.parametrize("argv", ["plan", "drift", "status", "validate"])
def test_what_only_looks_has_events_too(stage: Stage, argv: str) -> None:
    stage.tokens_file("name: a")
    stage.run(argv, "--report", "events=e")
    kinds = [each["type"] for each in lines("e")]
    assert kinds == ["version", *(["plan"] if argv != "validate" else []), "run_ended"]
    stage.tokens_file("nme: a")
    stage.run(argv, "--report", "events=e")
    assert lines("e")[-1]["stopped"]["kind"] == "input-error"


def test_a_killed_run_leaves_the_events_that_were(stage: Stage) -> None:
    stage.tokens_file(*(f"name: t{n}" for n in range(40)))
    slow = Delay(0.2)
    stage.emulator.faults.add(Fault(slow, "POST", path="*/tokens", times=None))
    process = command(stage, "apply", "--yes", "--report", "events=e")
    wait_for(stage.live)
    process.kill()
    process.communicate(timeout=20)
    found = lines("e")
    assert found[-1]["type"] != "run_ended"
    started = {each["name"] for each in found if each["type"] == "action_started"}
    assert stage.live().keys() <= started


def test_a_reader_of_events_that_goes_away_stops_nothing(stage: Stage) -> None:
    stage.tokens_file("name: a")
    ran = stage.run("apply", "--yes", "--report", "events=/dev/full")
    assert ran.code == 1
    assert "/dev/full was not written to the end" in ran.err
    assert "Applied: 2 done." in ran.out
    assert stage.run("apply", "--report", "events=missing/e").code == 3


# --- what holds for all of them ---


def test_what_failed_says_so_in_every_report_file(stage: Stage) -> None:
    """A comment that still shows yesterday's plan would be approved."""
    stage.tokens_file("{name: a, expries_in: 3}")
    for command_ in ("plan", "drift", "status", "validate"):
        for form in ("text", "markdown", "json"):
            Path(f"report.{form}").write_text("of yesterday", "utf-8")
        reports = [f"--report={form}=report.{form}" for form in ("text", "markdown", "json")]
        ran = stage.run(command_, *reports)
        assert (ran.code, ran.out) == (3, "")
        document = json.loads(Path("report.json").read_text("utf-8"))
        fits(document, "report.v1")
        assert document["command"] == command_
        assert [p["code"] for p in document["problems"]] == ["NB104"]
        assert "did you mean" in Path("report.text").read_text("utf-8")
        assert "exit code 3" in Path("report.markdown").read_text("utf-8")


def test_a_bot_finds_its_comment_again_when_the_server_is_away(stage: Stage) -> None:
    stage.tokens_file("name: a")
    gone = Answer(400, "no")
    stage.emulator.faults.add(Fault(gone, path="/api/users", times=None))
    for argv in ("plan", "drift", "apply --yes"):
        shown = report(stage, *argv.split(), form="markdown")
        assert shown.startswith(f"<!-- netbird-tokens:platform:{argv.split()[0]} -->\n")
        assert "**Stopped:**" in shown


@pytest.fixture
def hostile(stage: Stage) -> Stage:
    more = ("]]>", '"quoted\\', "a%0A::error::b", "x,title=y::z", "\ud7ff\ufffe\uffff", "{}=\n", "|`<b>")
    for name in (*EVIL, *more):
        stage.emulator.issue(stage.bot, name, days=30)
    stage.emulator.issue(stage.bot, stage.emulator.issue(stage.bot, "x", days=3), days=3)
    written = [name for name in (*EVIL, *more) if name.isprintable() and name.strip() == name]
    stage.tokens_file(*(f"name: {json.dumps(name)}" for name in written))
    return stage


@pytest.mark.parametrize("form", RUN_FORMATS)
@pytest.mark.parametrize("argv", ["plan", "drift", "apply --yes"])
def test_hostile_names_are_harmless_in_every_format(hostile: Stage, argv: str, form: str) -> None:
    no = Answer(422, "no\n::error::pwned]]> \x1b[2J")
    hostile.emulator.faults.add(Fault(no, "POST", path="*/tokens"))
    text = report(hostile, *argv.split(), form=form)
    is_harmless(text)
    assert not SECRET.search(text)
    match form:
        case "junit":
            suite(text)
            ET.fromstring(text)  # noqa: S314 - our own
        case "prometheus":
            samples(text)
        case "events":
            lines("report.events")
        case "github-output":
            assert outputs_of(text).keys() == {
                "changes", "creates", "renews", "revokes", "change_id", "plan_id", "exit_code",
            }  # fmt: skip
        case _:
            json.loads(text)


def test_hostile_names_cannot_leave_an_annotation(hostile: Stage) -> None:
    no = Answer(422, "no\n::error::pwned%0A::debug::x \x1b[2J")
    hostile.emulator.faults.add(Fault(no, "POST", path="*/tokens", times=None))
    ran = hostile.run("apply", "--yes", "--ci", "github")
    found = commands_of(ran.err)
    assert found
    for each in found:
        assert each.name == "error"
        assert each.properties.keys() <= {"file", "line", "col", "title"}
        assert each.properties.get("file", "tokens.yaml") == "tokens.yaml"
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", each.message)
    assert len(found) == len([line for line in ran.err.splitlines() if line.startswith("::")])
    assert not SECRET.search(ran.err)


def test_github_reads_what_was_said(stage: Stage) -> None:
    """Signs of its own rules come back as what they were, in messages and in properties."""
    odd = "a%0Ab%25,c::d"
    Path(f"{odd}.yaml").write_text(f"apiVersion: netbird-tokens/v1\nkind: TokenSet\nx: '{odd}'\n", "utf-8")
    for found in annotations(stage, "validate", "-f", f"{odd}.yaml"):
        assert found.properties["file"] == f"{odd}.yaml"
    stage.tokens_file(f"name: '{odd}'")
    stage.emulator.faults.add(Fault(Answer(422, "no"), "POST", path="*/tokens"))
    (failed,) = annotations(stage, "apply", "--yes")
    assert failed.message.startswith(f"{odd}: ")


def test_a_plan_of_five_thousand_changes_fits_a_comment(stage: Stage) -> None:
    specs = [spec(f"n|{n} @all <b>", places=(place(f"n{n}"),)) for n in range(2500)]
    gone = [token(f"g{n}", f"gone|{n}") for n in range(2500)]
    made = make_plan(world(specs, gone, held(*gone)))
    plan, drifted = plan_document(made), documents.drifted(made)
    results = [Result(effect, Status.FAILED, "no|" * 50) for effect in made.effects]
    found = report_document("apply", plan, results, Ending(ExitCode.ROLLED_BACK))
    shown = {
        "plan": markdown.plan(plan),
        "report": markdown.report(found),
        "drift": markdown.drift(plan, tables.drift(drifted, plan, Style()).markdown()),
    }
    for name, text in shown.items():
        assert len(text) <= markdown.BUDGET, name
        assert re.search(r"and \d+ more: see the job's log", text)
    rows = [row for row in shown["plan"].splitlines() if row.startswith("| `")]
    assert len(rows) > 300
    assert all("revoke" in row for row in rows)
    assert len(github.annotated(found)) == 10
    assert len(suite(junit.render(found))["failure"]) > 4999
    assert len(samples(prometheus.render(found, made.as_of))) > 30
    assert events.ended(found)["message"]



def test_the_problems_of_many_files_fit_a_comment(stage: Stage) -> None:
    Path("tokens").mkdir()
    for n in range(12):
        entries = "".join(f"  - {{name: t{n}-{m}, expires_inn: 9, wrong: '{'x' * 60}'}}\n" for m in range(40))
        Path(f"tokens/{n}.yaml").write_text(f"{HEAD}tokens:\n{entries}", "utf-8")
    for looking in ("plan", "validate"):
        assert stage.run(looking, "-f", "tokens", "--report", "markdown=p.md").code == 3
        shown = Path("p.md").read_text("utf-8")
        assert 10_000 < len(shown) <= markdown.BUDGET
        assert re.search(r"and \d+ more problems: see the job's log", shown)
        assert shown.startswith("<!-- netbird-tokens:")
