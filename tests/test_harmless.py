"""What others wrote leaves the process harmless, whichever door it takes: no control character, no command
to a CI system, no token. Who may write: the server, a sink, the author of a file or of its name.
"""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from staging import Stage

from reconciler.emulator import Fault, Raw
from reconciler.reports import escape

EVIL = (
    "::error::pwned", " \u3000::add-mask::x", "##[error]x", "a ##vso[task.setvariable variable=x]y",
    "###[group]", "\x1b[2Jx", "a\r\n::warning::x", "\u202egnp", "\x7f\x9b2J", "<img src=x> @team",
)  # fmt: skip
COMMANDS = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)
READS = ("plan -v", "drift -v", "status -v", "list --user-id ci-bot -v", "import --user-id ci-bot")


def is_harmless(text: str) -> None:
    assert not COMMANDS.search(text), COMMANDS.findall(text)
    steering = [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
    assert steering == []


@pytest.fixture
def hostile(stage: Stage) -> Stage:
    """Names and users of a server whose owner wants to take over the job."""
    for name in EVIL:
        stage.emulator.issue(stage.bot, name, days=30)
        stage.emulator.add_user(name, role="user", service_user=True)
    stage.tokens_file("name: a", "{name: '::notice::b'}", "{name: '##[endgroup]c', user: '::group::nobody'}")
    return stage


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.parametrize("command", READS)
def test_names_of_the_server_and_of_a_file(hostile: Stage, command: str, form: str) -> None:
    if command.startswith("import") and form != "text":
        return
    argv = command.split() + ([] if command.startswith("import") else ["--format", form])
    report = [] if command.startswith("import") else ["--report", f"{form}=report"]
    ran = hostile.run(*argv, *report)
    is_harmless(ran.out)
    is_harmless(ran.err)
    assert "pwned" in ran.out
    if report:
        is_harmless(Path("report").read_text("utf-8"))


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_runs_and_their_reports(hostile: Stage, form: str) -> None:
    ran = hostile.run("apply", "--yes", "--format", form, "--report", f"{form}=report")
    is_harmless(ran.out)
    is_harmless(ran.err)
    is_harmless(Path("report").read_text("utf-8"))
    if form == "markdown":
        assert "@team" not in ran.out
        assert "<img" not in ran.out


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_a_snapshot_that_somebody_has_edited(stage: Stage, form: str, evil: str) -> None:
    stage.tokens_file("name: a", "name: b")
    stage.run("apply", "--yes")
    stage.run("snapshot", "--out", "snapshot.json")
    found = json.loads(Path("snapshot.json").read_text("utf-8"))
    found["target"]["management_url"] = evil
    (mine,) = [user for user in found["users"] if user["id"] == stage.bot]
    mine["name"] = mine["role"] = evil
    found["live"][stage.bot]["tokens"][0].update(name=evil, created_by=evil, id=evil)
    found["sinks"][evil] = {"unread": evil}
    found["sinks"]["local"]["entries"]["platform/a"] = {"damaged": evil}
    found["sinks"]["local"]["entries"][evil] = {"unread": evil}
    found["sinks"]["local"]["registrations"][0].update(server=evil, principal=evil)
    found["set"] = evil
    Path("snapshot.json").write_text(json.dumps(found), "utf-8")
    kinds = ["junit", "gitlab", "gitlab-codequality", "github-output", "events", "prometheus"]
    reports = [word for kind in kinds for word in ("--report", f"{kind}={kind}")]
    ran = stage.run("plan", "-v", "--live", "snapshot.json", "--format", form, *reports)
    assert ran.code in (1, 3, 5)
    written = [Path(kind).read_text("utf-8") for kind in kinds if Path(kind).exists()]
    for text in (ran.out, ran.err, *written):
        is_harmless(text)


LINKS = (
    "https://evil.example/x", "HTTP://evil.example", "ftp://evil.example/x", "www.evil.example",
    "WWW.evil.example", "![x](https://e.example/p.png)", "[x](//e.example)", "<https://evil.example>",
    "me@evil.example", "mailto:me@evil.example", "xmpp:me@evil.example/x", "acme/infra#1", "GH-1", "gh-12",
    "$\\sqrt{3}$", ":rocket:", "!12", "&3", "@team",
)  # fmt: skip
REFERENCES = re.compile(r"://|www\.|\bGH-\d|[@#!&]\w|:\w+:|\$[^\\s\u200b]", re.IGNORECASE)
"""What GitHub or GitLab make something of after Markdown is done, in the text that people see."""


@pytest.mark.parametrize("name", LINKS)
def test_a_name_is_no_link_in_a_comment(name: str) -> None:
    (line,) = MarkdownIt("gfm-like").parseInline(escape.markdown(name))
    kinds = {token.type for token in line.children or ()}
    assert kinds <= {"text", "text_special"}
    shown = "".join(token.content for token in line.children or ())
    assert not REFERENCES.search(shown), shown
    assert shown.replace("\u200b", "") == name


def test_a_registration_that_somebody_else_wrote(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    path = Path("secrets/.platform.registration.json")
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**document, "principal": "\x1b[2Jx\n::error::pwned"}), "utf-8")
    ran = stage.run("apply", "--yes")
    assert ran.code == 5
    assert "pwned" in ran.err
    is_harmless(ran.out + ran.err)


@pytest.mark.parametrize("name", ["::error::x.yaml", "a\n::error::x.yaml", "##[error]x\x1b[2J.yaml"])
@pytest.mark.parametrize("content", ["x: [", "{}"])
def test_the_name_of_a_file_in_a_pull_request(stage: Stage, name: str, content: str) -> None:
    Path("tokens").mkdir()
    Path("tokens", name).write_text(content, "utf-8")
    for argv in (["validate"], ["plan"], ["doctor"], ["validate", "-f", name], ["plan", f"--{name}"]):
        ran = stage.run(*argv)
        assert ran.code == 3
        is_harmless(ran.out + ran.err)


def test_an_id_that_no_server_gives_is_an_odd_answer(stage: Stage) -> None:
    odd = {"id": "\x1b[2J::x", "name": "n", "created_by": "u", "created_at": "2026-01-01T00:00:00Z"}
    body = json.dumps([{**odd, "expiration_date": "2099-01-01T00:00:00Z"}]).encode()
    stage.emulator.faults.add(
        Fault(Raw(200, "application/json", body), path="*/tokens", times=None)
    )
    for command in ("list", "import", "revoke x --user-id ci-bot --yes"):
        assert stage.run(*command.split()).code in (1, 3)
    stage.tokens_file("name: a")
    assert stage.run("plan").code == 1
    assert "is a string, not the id of a token" in stage.run("plan").out
    is_harmless("".join(stage.said))


def test_a_token_whose_name_is_a_secret_is_told_nowhere_and_can_be_removed(stage: Stage) -> None:
    secret = stage.emulator.issue(stage.bot, "x", days=30)
    stage.emulator.issue(stage.bot, secret, days=30)
    stage.emulator.issue(stage.bot, f"old_{secret}_", days=30)
    stage.tokens_file("{name: x, adopt: true}")
    with Path("tokens.yaml").open("a", encoding="utf-8") as file:
        file.write("unmanaged: {action: revoke}\n")
    stage.config("guards: {max_revokes: {percent: 100}}\n")
    for command in READS:
        for form in ("text", "json", "markdown") if "import" not in command else ("",):
            stage.run(*command.split(), *(["--format", form] if form else []))
    stage.pass_time(hours=1)
    assert stage.run("plan", "--out", "p.json", "--report", "markdown=p.md").code == 5
    doomed = [token.id for token in stage.emulator.tokens(stage.bot) if "nbp_" in token.name]
    allowed = [word for each in doomed for word in ("--allow-revoke", each)]
    assert stage.run("plan", "--out", "p.json", *allowed).code == 0
    assert stage.run("show", "p.json").code == 0
    assert stage.run("apply", "p.json", "--report", "json=r.json", *allowed).code == 0
    assert list(stage.live()) == ["x"]
    files = [path.read_text("utf-8") for path in stage.folder.iterdir() if path.is_file()]
    for text in (*stage.said, *files):
        assert secret not in text
        assert secret[:30] not in text


@given(text=st.text(st.sampled_from("\x1b[31m#:v o[]\n\r\t\x9b\u202e\u200d\u2028a::##[ä")))
def test_the_last_door_lets_nothing_through_and_stays_as_it_is_the_second_time(text: str) -> None:
    shown = escape.harmless(text)
    # What may pass is replaced, not taken out: two colons that it parts are no command.
    is_harmless(re.sub("\x1b\\[(?:[01]|1;31|3[1-6])m|\u200d", "x", shown))
    assert escape.harmless(shown) == shown
    assert not COMMANDS.search(shown)


@given(text=st.text())
def test_json_and_yaml_say_the_same_and_are_harmless(text: str) -> None:
    written = escape.json(json.dumps({"x": text}, ensure_ascii=False))
    assert json.loads(written) == {"x": text}
    assert escape.harmless(written) == written
    assert escape.harmless(escape.yaml(text)) == escape.yaml(text)


def test_text_leaves_through_the_desk_and_nowhere_else() -> None:
    """Two others print what is ours alone: help and schemas, and the emulator as a program of its own."""
    doors = re.compile(r"sys\.std(?:out|err)|click\.(?:echo|secho)|\bprint\(|os\.write\(")
    root = Path(escape.__file__).parents[1]
    found = {str(p.relative_to(root)) for p in root.rglob("*.py") if doors.search(p.read_text("utf-8"))}
    assert found == {
        "cli/streams.py", "cli/options.py", "cli/app.py", "cli/automation.py", "emulator/__main__.py",
        "signals.py",
    }  # fmt: skip
