"""plan --base: what a change to the file causes, apart from what is due anyway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from staging import Stage
from test_documents import check

from reconciler.reports.escape import markdown

OTHER_SET = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: other\ntokens: [{name: a}]\n"


def git(*argv: str) -> str:
    env = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    done = subprocess.run(["git", *argv], env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(message: str) -> str:
    git("add", "-A", ":/")
    git("commit", "-q", "-m", message)
    return git("rev-parse", "HEAD")


@pytest.fixture
def repository(stage: Stage) -> Stage:
    """Two tokens applied from a commit; one of them falls due."""
    git("init", "-q", "-b", "main")
    Path(".gitignore").write_text("secrets/\n", "utf-8")
    stage.tokens_file("name: a", "{name: b, expires_in: 30}")
    commit("tokens")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(days=25)
    return stage


def planned(stage: Stage, *argv: str, ref: str = "main") -> dict[str, Any]:
    ran = stage.run("plan", "--base", ref, "--format", "json", *argv)
    assert ran.code in (0, 5), ran.err
    document: dict[str, Any] = json.loads(ran.out)
    del document["as_of"], document["valid_until"]  # the server's clock ticks
    return document


def caused(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(c["action"], c["name"]) for c in document["changes"] if c["caused"]}


def test_what_the_file_brings_about_stands_apart_from_what_is_due(repository: Stage) -> None:
    repository.tokens_file("name: a", "{name: b, expires_in: 30}", "name: new")
    document = planned(repository)
    check(json.loads(repository.run("plan", "--base", "main", "--format", "json").out), "plan.v1")
    assert caused(document) == {("create", "new")}
    assert ("renew", "b") in {(c["action"], c["name"]) for c in document["changes"]}
    main = git("rev-parse", "main")
    assert document["base"] == {"ref": "main", "commit": main, "found": True, "averted": []}
    text = repository.run("plan", "--base", "main").out
    assert text.index("Caused by this") < text.index("new") < text.index("Due anyway") < text.index(" b ")
    markdown = repository.run("plan", "--base", "main", "--format", "markdown").out
    assert markdown.index("Caused by this change") < markdown.index("| new |") < markdown.index("Due anyway")


def test_a_file_that_did_not_change_causes_nothing(repository: Stage) -> None:
    document = planned(repository)
    assert caused(document) == set()
    assert document["summary"]["renew"] == 1
    assert "**Caused by this change:** nothing" in repository.run(
        "plan", "--base", "main", "--format", "markdown"
    ).out  # fmt: skip


def test_what_the_change_keeps_from_happening_is_told(repository: Stage) -> None:
    repository.tokens_file("name: a")
    commit("b is dropped")
    repository.tokens_file("name: a", "{name: b, expires_in: 30}")
    document = planned(repository)
    assert [each["action"] for each in document["base"]["averted"]] == ["revoke"]
    assert caused(document) == {("renew", "b")}
    text = repository.run("plan", "--base", "main").out
    assert "Not done any more, by this change\n  -   revoke b\n" in text
    assert "revoke b" in repository.run("plan", "--base", "main", "--format", "markdown").out


def test_neither_the_work_tree_nor_the_index_is_touched(repository: Stage) -> None:
    Path("staged").write_text("x", "utf-8")
    git("add", "staged")
    repository.tokens_file("name: a", "name: new")
    index, files = Path(".git/index"), sorted(Path().rglob("*"))
    before = index.read_bytes(), index.stat().st_mtime_ns
    planned(repository)
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before
    assert sorted(Path().rglob("*")) == files


def test_a_folder_of_files_is_read_from_the_commit(repository: Stage) -> None:
    Path("tokens").mkdir()
    Path("tokens.yaml").rename("tokens/one.yaml")
    Path("tokens/.hidden.yaml").write_text("nonsense", "utf-8")
    commit("a folder")
    Path("tokens/two.yaml").write_text(
        "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: platform\n"
        "defaults: {user: ci-bot}\ntokens: [{name: new}]\n", "utf-8",
    )  # fmt: skip
    assert caused(planned(repository, "-f", "tokens")) == {("create", "new")}
    sub = Path("tokens").absolute()
    os.chdir(sub)
    assert caused(planned(repository, "-f", "../tokens")) == {("create", "new")}


def test_a_commit_without_the_file_makes_everything_new(repository: Stage) -> None:
    git("checkout", "-q", "--orphan", "empty")
    git("rm", "-rfq", "--cached", ".")
    Path("README").write_text("x", "utf-8")
    git("add", "README")
    git("commit", "-q", "-m", "nothing yet")
    document = planned(repository, ref="empty")
    assert all(change["caused"] for change in document["changes"])
    lacks(repository, "absent", "it has nothing at tokens.yaml", ref="empty")


def lacks(stage: Stage, code: str, said: str, ref: str = "main") -> None:
    """Every format says why there is nothing to compare with; none that all is new because of an error."""
    ran = stage.run("plan", "--base", ref, "--format", "json")
    check(json.loads(ran.out), "plan.v1")
    base = json.loads(ran.out)["base"]
    assert (base["found"], base["lack"]) == (False, {"code": code, "text": said})
    told = " ".join(stage.run("plan", "--base", ref).out.split())
    assert f"): {said}, so all counts as caused by this change" in told
    assert f"{markdown(said)}, so all" in stage.run("plan", "--base", ref, "--format", "markdown").out


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("tokens: [", "invalid", "its token files are not valid"),
        (OTHER_SET, "other-set", "its set is named 'other'"),
    ],
)
def test_a_commit_whose_file_cannot_be_compared_is_told(
    repository: Stage, text: str, code: str, said: str
) -> None:
    good = Path("tokens.yaml").read_text("utf-8")
    Path("tokens.yaml").write_text(text, "utf-8")
    commit("broken")
    Path("tokens.yaml").write_text(good, "utf-8")
    lacks(repository, code, said)


def test_a_file_that_was_moved_beside_its_old_place_is_still_compared(repository: Stage) -> None:
    Path("tokens").mkdir()
    Path("tokens.yaml").rename("tokens/all.yaml")
    assert caused(planned(repository)) == set()
    assert planned(repository)["base"]["found"] is True
    Path("tokens/all.yaml").rename("ours.yaml")
    assert caused(planned(repository, "-f", "ours.yaml")) == set()
    Path("deep").mkdir()
    Path("ours.yaml").rename("deep/tokens.yaml")
    ran = repository.run("plan", "--base", "main", "-f", "deep/tokens.yaml")
    assert "it has nothing at deep/tokens.yaml" in " ".join(ran.out.split())


def test_another_set_beside_a_new_one_is_not_taken_for_it(repository: Stage) -> None:
    Path("new.yaml").write_text(OTHER_SET, "utf-8")
    document = json.loads(repository.run("plan", "--base", "main", "-f", "new.yaml", "--format", "json").out)
    assert document["base"]["lack"] == {"code": "absent", "text": "it has nothing at new.yaml"}


def test_what_git_was_told_to_show_in_a_files_stead_is_not_looked_at(repository: Stage) -> None:
    old = git("rev-parse", "main:tokens.yaml")
    repository.tokens_file("name: a", "{name: b, expires_in: 30}", "name: new")
    git("replace", old, git("hash-object", "-w", "tokens.yaml"))
    assert caused(planned(repository)) == {("create", "new")}


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", "", "main:tokens.yaml", "@{-9}"])
def test_a_commit_that_is_not_there_is_an_error(repository: Stage, ref: str) -> None:
    ran = repository.run("plan", f"--base={ref}")
    assert ran.code == 3
    assert "git fetch" in ran.err
    assert not Path("x").exists()


@pytest.mark.parametrize("kind", ["blob:none", "tree:0"])
def test_what_was_not_fetched_is_not_what_was_not_there(repository: Stage, kind: str) -> None:
    """A partial clone has the commit, but not the file of another one, and nothing is fetched for it."""
    first = git("rev-parse", "HEAD")
    repository.tokens_file("name: a", "{name: b, expires_in: 30}", "name: new")
    commit("second")
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "-q", f"--filter={kind}", f"file://{Path.cwd()}", "../partial")
    os.chdir("../partial")
    ran = repository.run("plan", "--base", first)
    assert (ran.code, "cannot be read" in ran.err, "partial clone" in ran.err) == (3, True, True)


def test_where_there_is_no_work_tree_it_is_an_error(repository: Stage) -> None:
    git("clone", "-q", "--bare", ".", "../bare")
    Path("../bare/tokens.yaml").write_bytes(Path("tokens.yaml").read_bytes())
    ran = repository.run("plan", "--base", "main", "-f", "../bare/tokens.yaml")
    assert (ran.code, "bare repository" in ran.err) == (3, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_repository_of_another_user_is_not_asked_and_git_says_why(repository: Stage) -> None:
    os.chown(".", 65534, 65534)
    os.chown(".git", 65534, 65534)
    ran = repository.run("plan", "--base", "main")
    assert (ran.code, "dubious ownership" in ran.err, "safe.directory" in ran.err) == (3, True, True)


def test_names_of_any_bytes_and_a_repository_from_the_environment(
    repository: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert caused(planned(repository)) == set()
    monkeypatch.delenv("GIT_DIR")
    odd, other = Path(os.fsdecode(b"odd\xff\n")), Path(os.fsdecode(b"../repo\xff\n"))
    for folder in (odd, other):
        folder.mkdir()
        (folder / "tokens.yaml").write_bytes(Path("tokens.yaml").read_bytes())
    os.chdir(other)
    git("init", "-q", "-b", "main")
    for where in (Path(), repository.folder):
        os.chdir(where)
        commit("odd names")
    repository.config(f"sinks: {{local: {{type: file, path: {repository.folder}/secrets}}}}\n")
    for folder in (Path(), odd, other):
        document = planned(repository, "-f", str(folder / "tokens.yaml"), "-c", ".netbird-tokens.yaml")
        assert (document["base"]["found"], caused(document)) == (True, set()), folder


def test_in_a_second_work_tree_the_commit_is_that_of_the_repository(repository: Stage) -> None:
    git("worktree", "add", "-q", "--detach", "../second", "main")
    config = "sinks: {local: {type: file, path: " + str(repository.folder / "secrets") + "}}\n"
    os.chdir("../second")
    Path(".netbird-tokens.yaml").write_text(f"apiVersion: netbird-tokens/v1\nkind: Config\n{config}", "utf-8")
    assert caused(planned(repository)) == set()


def test_outside_of_a_repository_it_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.tokens_file("name: a")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(stage.folder.parent))
    assert stage.run("plan", "--base", "main").code == 3


def test_a_link_in_the_commit_is_not_followed(repository: Stage) -> None:
    Path("tokens.yaml").rename("real.yaml")
    Path("tokens.yaml").symlink_to("/etc/hostname")
    commit("a link")
    Path("tokens.yaml").unlink()
    Path("real.yaml").rename("tokens.yaml")
    assert planned(repository)["base"]["found"] is False


def test_filters_and_hooks_of_the_repository_do_not_run(repository: Stage) -> None:
    Path(".gitattributes").write_text("*.yaml filter=evil\n", "utf-8")
    git("config", "filter.evil.smudge", "touch smudged; cat")
    git("config", "core.fsmonitor", "touch monitored")
    commit("attributes")
    planned(repository)
    assert not Path("smudged").exists()


def test_with_a_snapshot_it_needs_no_credential(
    repository: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.run("snapshot", "--out", "snapshot.json")
    repository.tokens_file("name: a", "{name: b, expires_in: 30}", "name: new")
    live = planned(repository)
    monkeypatch.delenv("NB_PAT")
    past = planned(repository, "--live", "snapshot.json")
    assert past.pop("snapshot") is True
    del past["planned_at"]
    assert past == live
