"""Notices: a change, a failure, drift that is new, drift that ended; nothing that others wrote is in them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fakes.serving import Request, Said, serving
from staging import SECRET, Stage, at_a_terminal, command, wait_for
from test_documents import check as fits
from test_harmless import EVIL

from reconciler.emulator import Call, Delay, Drop, Fault
from reconciler.emulator import Status as Answer
from reconciler.http.retry import Pace
from reconciler.webhook import Webhook

STATE = "state: told.json"
AT_ONCE = Pace(clock=lambda: 0.0, sleep=lambda _: None, random=lambda: 0.0)


@dataclass
class Hook:
    """Somebody's webhook; `answers` are given in turn, the last one for ever."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    requests: list[Request] = field(default_factory=list)
    there: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event | None = None

    def handle(self, request: Request) -> Said:
        self.requests.append(request)
        self.there.set()
        if self.go_on is not None:
            self.go_on.wait(30)
        return Said(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def events(self) -> list[str]:
        """What was told since the last look."""
        found = [self.body(request)["event"] for request in self.requests]
        self.requests.clear()
        return found

    def body(self, request: Request) -> dict[str, Any]:
        assert (request.method, request.path) == ("POST", "/T000/s3cret-path")
        assert "Authorization" not in request.headers
        fits(request.body, "notice.v1")
        return request.body


@pytest.fixture
def hook(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    found = Hook()
    with serving(found.handle) as address:
        found.url = f"{address}/T000/s3cret-path"
        monkeypatch.setenv("HOOK", found.url)
        stage.config(f"notify: {{url_env: HOOK, {STATE}}}\n")
        yield found
    assert "s3cret" not in "".join(stage.said)


def test_a_change_and_a_failure_are_told_and_nothing_else(stage: Stage, hook: Hook) -> None:
    stage.tokens_file("name: a")
    assert stage.run("plan").code == 0
    assert hook.requests == []
    assert stage.run("apply", "--yes").code == 0
    (request,) = hook.requests
    told = hook.body(request)
    assert told["message"] == "NetBird tokens platform: apply: 1 register done, 1 create done"
    assert (told["done"], told["left"], told["exit_code"]) == ({"register": 1, "create": 1}, 0, 0)
    assert hook.events() == ["change"]
    assert stage.run("apply", "--yes").code == 0
    assert stage.run("renew", "--yes").code == 0
    assert hook.events() == []
    stage.tokens_file("name: a", "name: b")
    assert stage.run("apply").code == 3
    stage.emulator.faults.add(Fault(Drop(), "POST", path="*/tokens", when="after"))
    assert stage.run("apply", "--yes").code == 9
    told = hook.body(hook.requests[1])
    assert (told["done"], told["left"], told["exit_code"]) == ({}, 1, 9)
    assert told["message"].endswith("1 not done, exit code 9: an orphan or an uncertain write is left; "
                                    "ids are printed")  # fmt: skip
    assert hook.events() == ["failure", "failure"]
    stage.tokens_file("nme: a")
    assert stage.run("apply", "--yes").code == 3
    assert stage.run("plan").code == stage.run("validate").code == 3
    assert stage.run("drift").code == 3
    assert [hook.body(request)["set"] for request in hook.requests] == ["", ""]
    assert hook.events() == ["failure", "failure"]


def test_drift_is_told_when_it_is_new_and_when_it_ended(stage: Stage, hook: Hook) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    hook.events()
    assert stage.run("drift").code == 0
    assert hook.events() == []
    stage.emulator.issue(stage.bot, "one", days=30)
    assert stage.run("drift").code == 2
    assert hook.body(hook.requests[0])["drift"] == {"unmanaged": 1}
    assert stage.run("drift").code == 2
    assert hook.events() == ["drift"]
    stage.pass_time(days=1)
    stage.emulator.issue(stage.bot, "two", days=30)
    assert stage.run("drift").code == 2
    told = hook.body(hook.requests[0])
    assert told["message"] == "NetBird tokens platform: drift: 2 unmanaged"
    assert hook.events() == ["drift"]
    one, two = stage.live()["one"], stage.live()["two"]
    stage.run("revoke", *one, "--yes")
    assert stage.run("drift").code == 2
    assert hook.events() == []
    stage.run("revoke", *two, "--yes")
    assert stage.run("drift").code == 0
    assert stage.run("drift").code == 0
    assert hook.events() == ["resolved"]


def test_an_incomplete_look_resolves_nothing(stage: Stage, hook: Hook) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    stage.emulator.issue(stage.bot, "one", days=30)
    stage.run("drift")
    hook.events()
    before = Path("told.json").read_text("utf-8")
    no = Answer(403, "no")
    stage.emulator.faults.add(Fault(no, "GET", path=f"/api/users/{stage.bot}/tokens", times=None))
    assert stage.run("drift").code == 1
    assert hook.events() == ["failure"]
    assert Path("told.json").read_text("utf-8") == before


def test_without_a_file_that_remembers_drift_is_told_each_time(stage: Stage, hook: Hook) -> None:
    stage.config("notify: {url_env: HOOK}\n")
    stage.tokens_file("name: a")
    for _ in range(2):
        assert stage.run("drift").code == 2
    assert hook.events() == ["drift", "drift"]
    stage.run("apply", "--yes")
    assert stage.run("drift").code == 0
    assert hook.events() == ["change"]


@pytest.mark.parametrize("text", ["", "[]", '{"drift": 3}', '{"drift": {"platform": 7}}', "\xff\x00"])
def test_what_is_remembered_may_be_lost_or_broken(stage: Stage, hook: Hook, text: str) -> None:
    stage.tokens_file("name: a")
    Path("told.json").write_text(text, "latin-1")
    assert stage.run("drift").code == 2
    assert stage.run("drift").code == 2
    assert hook.events() == ["drift"]


def test_only_classes_that_count_are_told(stage: Stage, hook: Hook) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    hook.events()
    stage.emulator.issue(stage.bot, "one", days=30)
    assert stage.run("drift", "--fail-on", "missing").code == 0
    assert hook.events() == []
    assert stage.run("drift", "--fail-on", "unmanaged").code == 2
    assert hook.events() == ["drift"]


def test_a_notice_that_is_not_taken_is_exit_10_and_comes_again_for_drift(
    stage: Stage, hook: Hook
) -> None:
    hook.answers = [404, 404, 204]
    stage.tokens_file("name: a")
    ran = stage.run("apply", "--yes", "--format", "json")
    assert ran.code == json.loads(ran.out)["exit"]["code"] == 10
    assert "the notice was not sent: its server answered 404" in ran.err
    stage.emulator.issue(stage.bot, "one", days=30)
    assert stage.run("drift", "--report", "json=d.json").code == 10
    assert json.loads(Path("d.json").read_text("utf-8"))["drift"]
    assert not Path("told.json").exists()
    assert stage.run("drift").code == 2
    assert hook.events() == ["change", "drift", "drift"]


def test_a_notice_says_the_code_of_a_run_whose_report_is_lost(stage: Stage, hook: Hook) -> None:
    """Before, it told of a change that went well, and the process then exited 1."""
    stage.tokens_file("name: a")
    folder = stage.folder / "reports"
    folder.mkdir()
    stage.emulator.faults.add(Fault(Call(folder.rmdir), "POST"))
    assert stage.run("apply", "--yes", "--report", "json=reports/r.json").code == 1
    (request,) = hook.requests
    told = hook.body(request)
    assert (told["event"], told["exit_code"]) == ("failure", 1)


def test_a_report_that_was_written_first_still_says_that_the_notice_failed(
    stage: Stage, hook: Hook
) -> None:
    hook.answers = [404]
    stage.config(f"notify: {{url_env: HOOK, {STATE}}}\naudit_log: audit.ndjson\n")
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes", "--report", "json=r.json").code == 10
    assert json.loads(Path("r.json").read_text("utf-8"))["exit"]["code"] == 10
    last = Path("audit.ndjson").read_text("utf-8").splitlines()[-1]
    assert json.loads(last)["exit_code"] == 10


def test_a_signal_while_a_notice_is_sent_waits_for_that(stage: Stage, hook: Hook) -> None:
    """All is done by then; what is left is to say so."""
    hook.go_on = threading.Event()
    stage.tokens_file("name: a")
    process = command(stage, "apply", "--yes", "--report", "json=r.json")
    assert hook.there.wait(20)
    process.terminate()
    assert process.stdout
    next(line for line in process.stdout if "finishing what is in flight" in line)
    hook.go_on.set()
    said, _ = process.communicate(timeout=20)
    assert (process.returncode, "Applied: 2 done." in said) == (0, True)
    assert json.loads(Path("r.json").read_text("utf-8"))["exit"]["code"] == 0
    assert hook.events() == ["change"]


def test_a_worse_code_stays(stage: Stage, hook: Hook) -> None:
    hook.answers = [404]
    stage.tokens_file("name: a")
    stage.emulator.faults.add(Fault(Drop(), "POST", path="*/tokens", when="after"))
    assert stage.run("apply", "--yes").code == 9
    stage.tokens_file("nme: a")
    ran = stage.run("apply", "--yes")
    assert ran.code == 3
    assert "the notice was not sent" in ran.err


def test_without_the_variable_what_was_to_be_told_is_exit_10(
    stage: Stage, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK")
    stage.tokens_file("name: a")
    ran = stage.run("apply", "--yes")
    assert ran.code == 10
    assert "the variable HOOK with the webhook's URL is not set" in ran.err
    assert ran.out.rstrip().endswith(
        "Mend what failed if need be, then run the same command again; after `rotate`, run `apply`."
    )
    assert stage.run("apply", "--yes").code == 0


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/s3cret", "ftp://hooks.example/s3cret", "https://u:s3cret@hooks.example/",
     "https://hooks.example/s3cret path", "s3cret"],
)  # fmt: skip
def test_an_address_that_is_not_safe_is_refused_before_anything(
    stage: Stage, hook: Hook, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HOOK", url)
    stage.tokens_file("name: a")
    for argv in ("apply --yes", "drift"):
        ran = stage.run(*argv.split())
        assert ran.code == 3
        assert "the URL of `notify`" in ran.err
    assert stage.emulator.requests == []


def test_the_url_may_stand_in_the_config(stage: Stage, hook: Hook) -> None:
    stage.config(f"notify: {{url: {json.dumps(hook.url)}}}\n")
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    assert hook.events() == ["change"]
    stage.config("notify: {ulr: 'https://x.example'}\n")
    assert 'did you mean "url"' in stage.run("validate").err


def test_slack(stage: Stage, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.config("notify: {url_env: HOOK, format: slack}\n")
    stage.tokens_file("name: a")
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example/g/p/-/jobs/7?a=1&b")
    assert stage.run("apply", "--yes").code == 0
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example/|<!channel>")
    assert stage.run("rotate", "a", "--reason", "x", "--yes").code == 0
    first, second = (request.body for request in hook.requests)
    assert first == {
        "text": ":white_check_mark: NetBird tokens platform: apply: 1 register done, 1 create done "
        "(<https://gitlab.example/g/p/-/jobs/7?a=1&amp;b|run>)"
    }
    assert second == {"text": ":white_check_mark: NetBird tokens platform: rotate: 1 renew done"}


@pytest.mark.parametrize("form", ["json", "slack"])
def test_nothing_that_others_wrote_is_in_a_notice(stage: Stage, hook: Hook, form: str) -> None:
    stage.config(f"notify: {{url_env: HOOK, format: {form}}}\n")
    secret = stage.emulator.issue(stage.bot, "x", days=9)
    for name in (*EVIL, "<!channel> <https://evil.example|run>", secret):
        stage.emulator.issue(stage.bot, name, days=30)
    stage.tokens_file("name: '<!channel> evil'")
    no = Answer(422, "evil <!here>")
    stage.emulator.faults.add(Fault(no, "POST", path="*/tokens"))
    assert stage.run("apply", "--yes").code == 8
    assert stage.run("drift").code == 2
    said = "".join(json.dumps(request.body) for request in hook.requests)
    assert len(hook.requests) == 2
    assert not re.search(r"evil|channel|here|pwned|\\u|::", said)
    assert not SECRET.search(said)
    assert stage.credential not in said


def test_who_interrupts_a_run_or_mistypes_a_command_is_not_told(stage: Stage, hook: Hook) -> None:
    stage.tokens_file("name: a")
    at_a_terminal(stage, "n\n", "apply")
    at_a_terminal(stage, "", "rotate", "nobody", "--reason", "x")
    stage.tokens_file(*(f"name: t{n}" for n in range(20)))
    slow = Delay(0.2)
    stage.emulator.faults.add(Fault(slow, "POST", path="*/tokens", times=None))
    process = command(stage, "apply", "--yes")
    wait_for(stage.live)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert hook.requests == []


@pytest.mark.parametrize(
    ("answers", "tries", "why"),
    [
        ([503, 429, 200], 3, ""),
        ([500], 3, "its server answered 500"),
        ([400], 1, "its server answered 400"),
        ([302], 1, "its server answered 302, a redirect, which is not followed"),
    ],
)
def test_what_may_pass_is_tried_again(hook: Hook, answers: list[int], tries: int, why: str) -> None:
    hook.answers = answers
    assert Webhook(hook.url, allow_http=False).send({}, AT_ONCE) == why
    assert len(hook.requests) == tries
    hook.requests.clear()


def test_nobody_listening_is_said_without_the_address() -> None:
    why = Webhook("http://127.0.0.1:9/s3cret", allow_http=False).send({}, AT_ONCE)
    assert "refused" in why
    assert "s3cret" not in why


def test_doctor_says_whom_runs_tell_and_sends_nothing(
    stage: Stage, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.tokens_file("name: a")
    assert "✔ notices: as json" in stage.run("doctor").out
    monkeypatch.delenv("HOOK")
    assert "! notices: HOOK is not set here" in stage.run("doctor").out
    monkeypatch.setenv("HOOK", "http://hooks.example/s3cret")
    ran = stage.run("doctor")
    assert (ran.code, "✘ notices" in ran.out) == (3, True)
    assert hook.requests == []


def test_what_was_told_is_kept_for_each_set(stage: Stage, hook: Hook) -> None:
    stage.tokens_file("name: a")
    stage.run("drift")
    head = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: other\ndefaults: {user: ci-bot}\n"
    stage.tokens_file("name: b", head=head)
    stage.run("drift")
    assert hook.events() == ["drift", "drift"]
    assert json.loads(Path("told.json").read_text("utf-8"))["drift"].keys() == {"platform", "other"}
