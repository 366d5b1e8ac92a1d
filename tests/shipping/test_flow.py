"""The whole flow: a branch edits the file, the plan is commented, the merge is applied, the schedule renews.

The workflows of examples/github are run as they are, step by step, on an emulated server; Git is real, with
a bare remote. Nothing that they leave anywhere holds a credential or a secret.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from staging import HEAD, SECRET, Stage
from workflows import GH, ROOT, Runner, comments, load


@dataclass
class Site:
    """A repository on a server, with a checkout for people and one for each job."""

    stage: Stage
    root: Path

    @property
    def people(self) -> Path:
        return self.root / "people"

    def git(self, *argv: str, where: Path | None = None) -> str:
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
        }  # fmt: skip
        done = subprocess.run(
            ["git", *argv],
            cwd=where or self.people,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def commit(self, *entries: str) -> None:
        text = HEAD + "tokens:\n" + "".join(f"  - {entry}\n" for entry in entries)
        (self.people / "tokens.yaml").write_text(text, "utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "tokens")

    def runner(self, ref: str, *, trusted: bool) -> Runner:
        """A fresh machine with a checkout of this branch; only a trusted one is given the credential."""
        home = Path(self.root / f"runner-{len(list(self.root.glob('runner-*')))}")
        home.mkdir()
        self.git(
            "clone",
            "-q",
            "--branch",
            ref,
            str(self.root / "remote.git"),
            str(home / "work"),
            where=self.root,
        )
        (home / "bin").mkdir()
        gh = home / "bin" / "gh"
        gh.write_text(GH.format(python=sys.executable, store=str(self.root / "hub")), "utf-8")
        gh.chmod(0o755)
        (self.root / "hub" / "runs").mkdir(parents=True, exist_ok=True)
        known = {"github.token": "t", "github.base_ref": "main", "github.event.pull_request.number": "3",
                 "github.repository": "acme/infra", "url": self.stage.url, "inputs.count": "3",
                 "github.event.pull_request.head.repo.full_name": "acme/infra",
                 "github.event.repository.default_branch": "main", "github.ref": f"refs/heads/{ref}",
                 "github.sha": self.git("rev-parse", "HEAD", where=home / "work").strip(),
                 "runner.temp": str(home / "temp")}  # fmt: skip
        if trusted:
            known["secrets.NB_PAT"] = self.stage.credential
        return Runner(home / "work", home / "bin", home / "temp", known)


@pytest.fixture
def site(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.delenv("NB_PAT")
    found = Site(stage, stage.folder / "site")
    found.people.mkdir(parents=True)
    found.git(
        "init", "-q", "--bare", "-b", "main", str(found.root / "remote.git"), where=found.root
    )
    found.git("init", "-q", "-b", "main")
    found.git("remote", "add", "origin", str(found.root / "remote.git"))
    vault = stage.folder / "vault"
    (found.people / ".netbird-tokens.yaml").write_text(
        f"apiVersion: netbird-tokens/v1\nkind: Config\nsinks: {{local: {{type: file, path: {vault}}}}}\n",
        "utf-8",
    )
    found.commit("name: a", "{name: b, expires_in: 30}")
    found.git("push", "-q", "origin", "main")
    return found


@dataclass
class Push:
    """A run of apply.yml: planned when it was pushed, and waiting for its approval."""

    site: Site
    runner: Runner
    needs: dict[str, str]

    @property
    def changes(self) -> str:
        return self.needs["needs.plan.outputs.changes"]

    def approved(self) -> int:
        applied = self.runner.job("apply.yml", "apply", **self.needs)
        ran(self.site, "push", self.runner.artifacts, "apply.yml")
        harmless(self.site, applied.log)
        return applied.code


def pushed(site: Site, runner: Runner | None = None) -> Push:
    runner = runner or site.runner("main", trusted=True)
    planned = runner.job("apply.yml", "plan")
    assert planned.code == 0, planned.log
    harmless(site, planned.log)
    needs = {f"needs.plan.outputs.{key}": value for key, value in planned.outputs.items()}
    return Push(site, runner, needs)


def apply(site: Site) -> None:
    push = pushed(site)
    if push.changes != "0":
        assert push.approved() == 0


def schedule(site: Site) -> int:
    runner = site.runner("main", trusted=True)
    done = runner.job("schedule.yml", "renew")
    ran(site, "schedule", runner.artifacts)
    harmless(site, done.log)
    assert "Traceback" not in done.log, done.log
    return done.code


def harmless(site: Site, log: str) -> None:
    assert not SECRET.search(log)
    assert site.stage.credential not in log


def ran(site: Site, event: str, artifacts: dict[str, Path], workflow: str = "schedule.yml") -> None:
    """A run on a branch called main, as the server keeps it; here a later one has a smaller number."""
    runs = site.root / "hub" / "runs"
    number = len(list(runs.iterdir())) + 1
    run = runs / str(1000 - number)
    (run / "artifacts").mkdir(parents=True)
    updated = f"2026-01-01T00:{number:02}:00Z"
    facts = {"workflow": workflow, "branch": "main", "event": event, "updated": updated}
    (run / "run.json").write_text(json.dumps(facts), "utf-8")
    for name, folder in artifacts.items():
        shutil.copytree(folder, run / "artifacts" / name)


def searched(site: Site) -> None:
    """Every file but the sink's own, and the files of the server."""
    for path in site.stage.folder.rglob("*"):
        if path.is_file() and "vault" not in path.relative_to(site.stage.folder).parts[:1]:
            harmless(site, path.read_bytes().decode(errors="replace"))


def test_from_a_branch_to_a_renewal(site: Site) -> None:
    apply(site)
    assert sorted(site.stage.live()) == ["a", "b"]
    assert schedule(site) == 0

    site.git("checkout", "-q", "-b", "feature")
    site.commit("name: a", "{name: b, expires_in: 30}", "name: new")
    site.git("push", "-q", "origin", "feature")
    site.stage.emulator.requests.clear()
    reviewed = site.runner("feature", trusted=False).job("plan.yml", "plan")
    assert reviewed.code == 0, reviewed.log
    assert site.stage.emulator.requests == []  # no credential, no request
    (comment,) = comments(site.root / "hub")
    assert "Caused by this change" in comment
    assert "| new |" in comment
    assert comment.split("\n", 1)[1] in reviewed.summary + comment

    site.commit("name: a", "{name: b, expires_in: 30}", "name: other")
    site.git("push", "-q", "origin", "feature")
    assert site.runner("feature", trusted=False).job("plan.yml", "plan").code == 0
    (comment,) = comments(site.root / "hub")  # the same one, changed
    assert "| other |" in comment
    assert "| new |" not in comment

    site.git("checkout", "-q", "main")
    site.git("merge", "-q", "feature")
    site.git("push", "-q", "origin", "main")
    apply(site)
    assert sorted(site.stage.live()) == ["a", "b", "other"]

    site.stage.pass_time(days=25)
    assert schedule(site) == 0
    assert len(site.stage.live()["b"]) == 2

    site.stage.emulator.issue(site.stage.bot, "by hand", days=9)
    assert schedule(site) == 2  # the alarm
    searched(site)


def test_a_config_from_a_pull_request_is_not_used(site: Site) -> None:
    apply(site)
    schedule(site)
    site.git("checkout", "-q", "-b", "evil")
    (site.people / ".netbird-tokens.yaml").write_text("nonsense: [", "utf-8")
    site.commit("name: a", "{name: b, expires_in: 30}", "name: new")
    site.git("push", "-q", "origin", "evil")
    done = site.runner("evil", trusted=False).job("plan.yml", "plan")
    assert done.code == 0, done.log
    assert "| new |" in comments(site.root / "hub")[0]


def test_a_fork_cannot_bring_a_snapshot_or_a_comment_of_its_own(site: Site) -> None:
    """A run of its own schedule.yml from its `main`; files of our names; a comment with our mark."""
    apply(site)
    schedule(site)
    forged = site.root / "forged"
    forged.mkdir()
    (forged / "snapshot.json").write_text("{}", "utf-8")
    for workflow in ("schedule.yml", "apply.yml"):
        ran(site, "pull_request", {"netbird-tokens-snapshot": forged}, workflow)
    ran(site, "schedule", {})  # one that failed before it left any
    site.git("checkout", "-q", "-b", "evil")
    for name in ("snapshot.json", "plan.md", "live/snapshot.json"):
        (site.people / name).parent.mkdir(exist_ok=True)
        (site.people / name).write_text(
            "<!-- netbird-tokens:platform:plan -->\nall is well", "utf-8"
        )
    (site.people / ".netbird-tokens.yaml").unlink()
    (site.people / ".netbird-tokens.yaml").mkdir()
    (site.people / ".netbird-tokens.yaml" / "x").write_text("x", "utf-8")
    site.commit("name: a", "{name: b, expires_in: 30}", "name: new")
    site.git("push", "-q", "origin", "evil")
    planted = {"91": "<!-- netbird-tokens:platform:plan -->\nplanted"}
    (site.root / "hub" / "comments.json").write_text(json.dumps(planted), "utf-8")
    done = site.runner("evil", trusted=False).job("plan.yml", "plan")
    assert done.code == 0, done.log
    first, ours = comments(site.root / "hub")
    assert first == planted["91"]
    assert "| new |" in ours


def test_without_a_snapshot_nothing_is_planned_and_nothing_of_the_pull_request_is_posted(
    site: Site,
) -> None:
    site.git("checkout", "-q", "-b", "early")
    (site.people / "plan.md").write_text("<!-- netbird-tokens:platform:plan -->\nfine", "utf-8")
    site.commit("name: a")
    site.git("push", "-q", "origin", "early")
    done = site.runner("early", trusted=False).job("plan.yml", "plan")
    assert (done.code, "has left a snapshot" in done.log) == (1, True)
    assert comments(site.root / "hub") == []


def test_an_approval_that_got_lost_on_the_way_applies_nothing(site: Site) -> None:
    runner = site.runner("main", trusted=True)
    done = runner.job("apply.yml", "apply", **{"needs.plan.outputs.change_id": ""})
    assert done.code == 6
    assert site.stage.writes() == []


def removing(site: Site) -> Push:
    """Two tokens are live, an hour old; a commit removes one of them, and waits for its approval."""
    apply(site)
    site.stage.pass_time(hours=1)
    site.commit("name: a")
    site.git("push", "-q", "origin", "main")
    return pushed(site)


def test_an_approval_that_comes_after_a_revert_revokes_nothing(site: Site) -> None:
    first = removing(site)
    assert first.changes == "1"
    site.commit("name: a", "{name: b, expires_in: 30}")
    site.git("push", "-q", "origin", "main")
    assert pushed(site).changes == "0"
    assert first.approved() == 6
    assert sorted(site.stage.live()) == ["a", "b"]
    assert pushed(site, first.runner).changes == "0"  # all jobs of it, run again


def test_an_approval_stands_while_others_push_what_is_not_about_tokens(site: Site) -> None:
    first = removing(site)
    (site.people / "README").write_text("x", "utf-8")
    site.commit("name: a")
    site.git("push", "-q", "origin", "main")
    assert first.approved() == 0
    assert sorted(site.stage.live()) == ["a"]


def test_a_pull_request_is_planned_from_what_the_last_apply_has_left(site: Site) -> None:
    apply(site)
    assert schedule(site) == 0
    site.commit("name: a", "{name: b, expires_in: 30}", "name: merged")
    site.git("push", "-q", "origin", "main")
    apply(site)
    site.git("checkout", "-q", "-b", "feature")
    site.commit("name: a", "{name: b, expires_in: 30}", "name: merged", "name: new")
    site.git("push", "-q", "origin", "feature")
    assert site.runner("feature", trusted=False).job("plan.yml", "plan").code == 0
    (comment,) = comments(site.root / "hub")
    assert "| new |" in comment
    assert "| merged |" not in comment


def test_comments_that_cannot_be_listed_are_not_taken_for_none(site: Site) -> None:
    apply(site)
    site.git("checkout", "-q", "-b", "feature")
    site.commit("name: a")
    site.git("push", "-q", "origin", "feature")
    (site.root / "hub" / "down").touch()
    done = site.runner("feature", trusted=False).job("plan.yml", "plan")
    assert (done.code, "HTTP 502" in done.log) == (1, True)
    assert comments(site.root / "hub") == []


def test_an_invalid_file_is_told_at_its_line_and_nothing_is_planned(site: Site) -> None:
    apply(site)
    schedule(site)
    site.git("checkout", "-q", "-b", "broken")
    site.commit("name: a", "{name: b, expries_in: 30}")
    site.git("push", "-q", "origin", "broken")
    done = site.runner("broken", trusted=False).job("plan.yml", "plan")
    assert done.code == 3
    assert "::error " in done.log
    assert "file=tokens.yaml,line=7" in done.log


CURL = """#!/bin/sh
while [ "$1" != --output ]; do shift; done
case "$3" in *?job=netbird-tokens-snapshot) cp "{snapshot}" "$2" ;; *) exit 22 ;; esac
"""
"""A stand-in for `curl` that GitLab answers with one artifact."""


def on_gitlab(
    site: Site, runner: Runner, name: str, **more: str
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """A job of the component, and what became of it."""
    last = min((site.root / "hub/runs").iterdir())
    snapshot = last / "artifacts/netbird-tokens-snapshot/snapshot.json"
    (runner.bin / "curl").write_text(CURL.format(snapshot=snapshot), "utf-8")
    (runner.bin / "curl").chmod(0o755)
    text = (ROOT / "examples/gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    job = list(yaml.safe_load_all(text))[1][name]
    env = {
        "PATH": f"{runner.bin}:{runner.temp}/netbird-tokens/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT), "CI_PROJECT_DIR": str(runner.work), "CI_JOB_TOKEN": "t",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_COMMIT_BRANCH": "main",
        "CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_MERGE_REQUEST_PROJECT_ID": "7",
        "CI_DEFAULT_BRANCH": "main", "HOME": str(runner.temp),
        "NB_MANAGEMENT_URL": site.stage.url, **more,
    }  # fmt: skip
    argv = ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])]
    done = subprocess.run(argv, cwd=runner.work, env=env, capture_output=True, text=True, check=False)
    harmless(site, done.stdout + done.stderr)
    return job, done


def test_a_pipeline_of_gitlab_that_had_to_wait_applies_what_the_branch_says_by_now(site: Site) -> None:
    first = removing(site)
    site.commit("name: a", "{name: b, expires_in: 30}")
    site.git("push", "-q", "origin", "main")
    _, done = on_gitlab(site, first.runner, "netbird-tokens-apply", NB_PAT=site.stage.credential)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(site.stage.live()) == ["a", "b"]


def test_a_config_that_could_not_be_taken_from_the_target_is_not_one_that_is_not_there(site: Site) -> None:
    apply(site)
    site.git("checkout", "-q", "-b", "feature")
    site.git("push", "-q", "origin", "feature")
    runner = site.runner("feature", trusted=False)
    (runner.work / ".git" / "index.lock").touch()
    _, done = on_gitlab(site, runner, "netbird-tokens-plan", CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD")
    assert (done.returncode, "index.lock" in done.stderr) == (128, True)
    assert not (runner.work / "plan.md").exists()


def test_a_merge_request_is_planned_as_the_gitlab_component_does_it(site: Site) -> None:
    """Its target has moved on since the branch was made: that is not undone by the branch."""
    apply(site)
    site.git("checkout", "-q", "-b", "feature")
    site.commit("name: a", "{name: b, expires_in: 30}", "name: new")
    (site.people / ".netbird-tokens.yaml").write_text("nonsense: [", "utf-8")
    site.git("commit", "-q", "-a", "-m", "evil")
    site.git("push", "-q", "origin", "feature")
    site.git("checkout", "-q", "main")
    fork = site.git("rev-parse", "HEAD").strip()
    site.commit(
        "name: a", "{name: b, expires_in: 30}", "name: c", "name: d", "name: e", "name: later"
    )
    site.git("push", "-q", "origin", "main")
    apply(site)
    schedule(site)

    runner = site.runner("feature", trusted=False)
    job, done = on_gitlab(site, runner, "netbird-tokens-plan", CI_MERGE_REQUEST_DIFF_BASE_SHA=fork)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    found = (runner.work / "plan.md").read_text("utf-8")
    assert found.index("Caused by this change") < found.index("| new |") < found.index("Due anyway")
    assert found.index("Due anyway") < found.index("later")
    for path in [*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()]:
        assert (runner.work / path).exists(), path


def test_parts_of_a_large_change_are_applied_side_by_side(site: Site) -> None:
    apply(site)
    users = [
        site.stage.emulator.add_user(f"u{n}", role="user", service_user=True) for n in range(6)
    ]
    site.commit(
        "name: a", "{name: b, expires_in: 30}", *[f"{{name: t{n}, user: u{n}}}" for n in range(6)]
    )
    site.git("push", "-q", "origin", "main")
    runner = site.runner("main", trusted=True)
    planned = runner.job("sharded.yml", "plan")
    assert planned.code == 0, planned.log
    parts = json.loads(planned.outputs["matrix"])["include"]

    def applied(number: int, change_id: str) -> int:
        known = {"matrix.shard": parts[number]["shard"], "strategy.job-index": str(number)}
        return runner.job("sharded-parts.yml", "apply", **{**known, "inputs.change_id": change_id}).code

    assert applied(0, "") == 6
    assert applied(0, "sha256:of another one") == 6
    assert not any(site.stage.emulator.tokens(user) for user in users)
    assert {applied(n, planned.outputs["change_id"]) for n in range(len(parts))} == {0}
    assert sum(len(site.stage.emulator.tokens(user)) for user in users) == 6
    report = runner.job("sharded-parts.yml", "report")
    assert report.code == 0, report.log
    assert "6 done" in report.log
    assert "6 done" in report.summary


def test_the_workflows_are_what_they_are_said_to_be() -> None:
    assert set(load("plan.yml")["on"]) == {"pull_request", "workflow_call"}
    assert load("apply.yml")["on"]["push"]["branches"] == ["main"]
    assert set(load("schedule.yml")["on"]) == {"schedule", "workflow_dispatch", "workflow_call"}
