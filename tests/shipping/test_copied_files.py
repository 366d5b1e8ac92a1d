"""Files that people copy: each is parsed, and held against what it is for, by a foreign tool if it can."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from staging import Stage
from workflows import ACTION, OURS, ROOT, load

from reconciler import __version__
from reconciler.cli.app import app
from reconciler.errors import ExitCode

EXAMPLES = ROOT / "examples"
GITLAB = sorted(path for path in (EXAMPLES / "gitlab").rglob("*.yml") if path.name != ".gitlab-ci.yml")
WORKFLOWS = sorted(path.name for path in (EXAMPLES / "github").glob("*.yml"))
UNITS = sorted(path.name for path in (EXAMPLES / "systemd").iterdir())
CLUSTER = [
    document
    for path in sorted((EXAMPLES / "kubernetes").iterdir())
    for document in yaml.safe_load_all(path.read_text("utf-8"))
]
RETRIED = {ExitCode.ERROR, ExitCode.LOCKED, ExitCode.ROLLED_BACK, ExitCode.UNCERTAIN, ExitCode.HOOK}
STAND_INS = {
    "CI_NODE_TOTAL": "4",
    "CI_NODE_INDEX": "1",
    "CREDENTIALS_DIRECTORY": "/run",
    "CI_PROJECT_DIR": "/p",
}


def parses(argv: list[str]) -> None:
    """The command line is one that the command takes; nothing runs and no file need exist."""
    name, *rest = argv
    command: click.Command = app.commands[name]
    if isinstance(command, click.Group):
        name, *rest = rest
        command = command.commands[name]
    parser = command.make_parser(click.Context(command, info_name=name))
    _, left, _ = parser.parse_args(list(rest))
    assert not left or any(isinstance(each, click.Argument) for each in command.params), argv
    for flag in filter(lambda each: each.startswith("--"), rest):
        assert any(flag.split("=")[0] in each.opts for each in command.params), flag


def commands_in(script: str) -> Iterator[list[str]]:
    """Every call of netbird-tokens in a shell script."""
    script = re.sub(r"\\\n\s*", " ", script).replace('/netbird-tokens" ', "/netbird-tokens ")
    for line in script.splitlines():
        if found := re.search(r"netbird-tokens (?=[a-z])(.*)", line):
            text = re.sub(r"\$\{?(\w+)\}?", lambda name: STAND_INS.get(name[1], "x"), found[1])
            yield shlex.split(text.split(")")[0] if "$(" in line else text)


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", ())


# GitHub


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_workflows_call_is_there(name: str) -> None:
    ours = [step for step in steps(load(name)) if step.get("uses") == OURS]
    assert ours
    for call in filter(lambda job: "uses" in job, load(name)["jobs"].values()):
        called = load(call["uses"].removeprefix("./.github/workflows/"))
        assert set(call["with"]) == set(called["on"]["workflow_call"]["inputs"])
        assert call["secrets"] == "inherit"  # else no secret of an environment gets there
    for step in ours:
        given = step["with"]
        assert set(given) <= set(ACTION["inputs"])
        args = re.sub(r"\$\{\{.*?\}\}", "x", given.get("args", ""))
        parses([given["command"], *args.split()])
    for step in steps(load(name)):
        for argv in commands_in(step.get("run", "")):
            parses(argv)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_say_what_they_may_and_let_nothing_into_a_shell(name: str) -> None:
    workflow = load(name)
    assert workflow["permissions"]["contents"] == "read"
    assert "pull_request_target" not in workflow["on"]
    assert "workflow_call" in workflow["on"]
    for step in steps(workflow):
        assert "${{" not in step.get("run", ""), "an expression in a script is read by the shell"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_that_write_are_alone_and_nobody_waits_for_an_approval(name: str) -> None:
    workflow = load(name)
    for job in workflow["jobs"].values():
        commands = {step.get("with", {}).get("command") for step in job.get("steps", ())}
        alone = job.get("concurrency", workflow.get("concurrency", {}))
        if "uses" in job or (name != "sharded-parts.yml" and commands & {"apply", "renew"}):
            assert alone == {"group": "netbird-tokens", "cancel-in-progress": "false", "queue": "max"}
        if job.get("environment") == "netbird-tokens-approval":
            assert alone == {}


@pytest.mark.parametrize("name", ["apply.yml", "sharded.yml"])
def test_nothing_is_applied_without_an_approval(name: str) -> None:
    plan, approve, *others = load(name)["jobs"].values()
    assert approve["environment"] == "netbird-tokens-approval"
    assert "secrets." not in str(approve)
    assert plan["outputs"]["change_id"]
    for job in others:
        assert job["needs"] == ["plan", "approve"]
        assert "needs.plan.outputs.change_id" in str(job)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_others_wrote_is_pinned_to_a_commit_and_says_which_release_it_is(name: str) -> None:
    text = (EXAMPLES / "github" / name).read_text("utf-8")
    for line in re.findall(r"^.*\buses: (?!netbird-tokens/|\./)(.*)$", text, re.MULTILINE):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.parametrize("name", WORKFLOWS)
def test_jobs_with_the_credential_take_the_tip_of_the_branch(name: str) -> None:
    """The commit of the push, or of a run that is run again, may be one that main has left behind."""
    for job in load(name)["jobs"].values():
        for step in job.get("steps", ()) if "secrets." in str(job) else ():
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["ref"] == "${{ github.ref }}"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_steps_that_need_the_credential_have_it_and_only_where_branches_are_limited(
    name: str,
) -> None:
    workflow = load(name)
    assert "env" not in workflow
    for job in workflow["jobs"].values():
        assert "env" not in job
        having = [step for step in job.get("steps", ()) if "secrets." in str(step)]
        assert {step.get("uses") for step in having} <= {OURS}
        assert job.get("environment") == "netbird-tokens" or not having


def test_the_workflow_of_pull_requests_has_no_credential() -> None:
    assert "secrets." not in (EXAMPLES / "github" / "plan.yml").read_text("utf-8")


def test_nothing_in_the_action_is_read_by_a_shell() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
    assert ACTION["runs"]["steps"][-1]["run"].rstrip().splitlines()[-1].startswith("exec ")


@pytest.mark.skipif(
    not shutil.which("actionlint"),
    reason="actionlint is not on PATH: go install github.com/rhysd/actionlint/cmd/actionlint@latest",
)
def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(
        # `queue` is younger than actionlint 1.7.12
        ["actionlint", "-ignore", 'unexpected key "queue" for "concurrency"', *WORKFLOWS],
        cwd=EXAMPLES / "github", capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()


# GitLab


def test_what_gitlab_jobs_call_is_there() -> None:
    seen = 0
    for file in GITLAB:
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            for job in document.values():
                for line in job.get("script", ()) if isinstance(job, dict) else ():
                    for argv in commands_in(line):
                        parses(argv)
                        seen += 1
    assert seen >= 8


def test_gitlab_jobs_that_write_are_alone_and_not_cancelled() -> None:
    _, jobs = yaml.safe_load_all(
        (EXAMPLES / "gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    )
    for name in ("netbird-tokens-apply", "netbird-tokens-renew"):
        assert jobs[name]["resource_group"] == "netbird-tokens"
        assert jobs[name]["interruptible"] is False
        assert jobs[name]["script"][-1].startswith("exec ")


DEFAULT_BRANCH = "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"


def test_gitlab_jobs_with_a_credential_are_those_of_the_default_branch() -> None:
    _, jobs = yaml.safe_load_all(
        (EXAMPLES / "gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    )
    trusted = {name for name in jobs if name[0] != "." and name != "netbird-tokens-plan"}
    assert len(trusted) == 4
    for name in trusted:
        assert all(DEFAULT_BRANCH in rule["if"] for rule in jobs[name]["rules"]), name
    for name in ("sharded.gitlab-ci.yml", "sharded-parts.gitlab-ci.yml"):
        parts = yaml.safe_load((EXAMPLES / "gitlab" / name).read_text("utf-8"))
        assert all(DEFAULT_BRANCH in rule["if"] for rule in parts["workflow"]["rules"])


def test_gitlab_jobs_with_a_credential_take_the_tip_of_the_branch() -> None:
    """The commit of a pipeline that waited, or was run again, may be one that the branch has left behind."""
    _, jobs = yaml.safe_load_all(
        (EXAMPLES / "gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    )
    parts = yaml.safe_load((EXAMPLES / "gitlab/sharded-parts.gitlab-ci.yml").read_text("utf-8"))
    tip = ['git fetch --quiet origin "$CI_COMMIT_BRANCH"', "git checkout --quiet --detach FETCH_HEAD"]
    for name in ("apply", "renew", "snapshot", "drift"):
        assert jobs[f"netbird-tokens-{name}"]["script"][:2] == tip, name
    assert parts["default"]["before_script"][-2:] == tip


def test_parts_at_gitlab_keep_other_jobs_that_write_away_and_not_each_other() -> None:
    whole = yaml.safe_load((EXAMPLES / "gitlab/sharded.gitlab-ci.yml").read_text("utf-8"))
    job = whole["netbird-tokens-parts"]
    assert job["resource_group"] == "netbird-tokens"
    assert job["trigger"]["strategy"] == "depend"  # else it is given back at once
    below = EXAMPLES / "gitlab" / job["trigger"]["include"]["local"]
    assert "resource_group" not in yaml.safe_load(below.read_text("utf-8"))["apply"]


@pytest.mark.parametrize("file", GITLAB, ids=lambda file: file.name)
def test_gitlab_installs_the_release_that_the_file_is_of(file: Path) -> None:
    text = file.read_text("utf-8")
    versions = re.findall(r"netbird-token-reconciler(?:==([\d.]+))?", text)
    assert versions == [__version__] * text.count("pip install ")


def test_the_snapshot_is_in_every_pipeline_that_could_be_the_latest_one() -> None:
    """GitLab looks for artifacts of a branch in its latest successful pipeline, and in no older one."""
    text = (EXAMPLES / "gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    (job,) = re.findall(r"/raw/snapshot\.json\?job=([\w-]+)", text)
    _, jobs = yaml.safe_load_all(text)
    sources = {name: str(jobs[name]["rules"]) for name in jobs if "rules" in jobs[name]}
    for source in ("push", "schedule"):
        assert any(source in rules for name, rules in sources.items() if name != job)
        assert source in sources[job]


def test_what_gitlab_keeps_is_written_where_it_looks() -> None:
    """`directory` is another folder; paths of artifacts count from that of the project."""
    _, jobs = yaml.safe_load_all(
        (EXAMPLES / "gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    )
    for job in jobs.values():
        kept = job.get("artifacts", {})
        for path in [*kept.get("paths", []), *kept.get("reports", {}).values()]:
            assert f"$CI_PROJECT_DIR/{path}" in "\n".join(job["script"]), path


def test_a_merge_request_gets_the_config_of_its_target() -> None:
    text = (EXAMPLES / "gitlab/templates/netbird-tokens.yml").read_text("utf-8")
    assert text.index("git checkout --quiet FETCH_HEAD -- .netbird-tokens.yaml") < text.index(
        "tokens plan --live"
    )


# pre-commit


def hooks() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(
        (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    )
    return found


def test_the_hooks_run_commands_for_the_files_that_have_a_say() -> None:
    valid, scan = hooks()
    for hook in (valid, scan):
        assert hook["entry"].endswith(" --")  # a file may be called like a flag
        parses([*shlex.split(hook["entry"])[1:-1], "file"])
    for path in (
        "tokens.yaml",
        "tokens.yml",
        "infra/tokens.yaml",
        "tokens/a.yaml",
        ".netbird-tokens.yaml",
    ):
        assert re.search(valid["files"], path), path
    for path in ("other.yaml", "my-tokens.yaml", "tokens/deep/a.yaml", "tokens.yaml.txt"):
        assert not re.search(valid["files"], path), path
    assert not {"files", "types", "types_or", "exclude"} & set(scan)  # all of them


def clone_of_this(folder: Path) -> None:
    """What is checked out here, as the one commit of a repository."""
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True,
                           text=True, check=False).stdout.splitlines()  # fmt: skip
    if not names:
        pytest.skip("this is no checkout, so there is nothing to clone")
    for name in names:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *who, "commit", "-q", "-m", "x"], cwd=folder, check=True)


def test_the_hooks_refuse_a_pasted_token_wherever_it_stands(stage: Stage, tmp_path: Path) -> None:
    """As pre-commit does it: in an environment of its own made from a clone. No file is in the root."""
    pytest.importorskip("pre_commit", reason="pre-commit is not installed")
    clone, repository = tmp_path / "clone", tmp_path / "repository"
    clone_of_this(clone)
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    secret = stage.emulator.issue(stage.bot, "pasted", days=1)
    head = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: a\ntokens: [{name: a}]\n"
    good = {"infra/tokens.yaml": head, "--help": "hello\n", "notes.md": "a\nb\n"}
    bad = {
        "infra/tokens.yaml": f"{head}# {secret}\n", "notes.md": f"a\nb: {secret}\n",
        "more/tokens/one.yaml": head, "more/tokens/two.yaml": head.replace("name: a}", "nmae: b}"),
    }  # fmt: skip
    for files, code in ((good, 0), (bad, 1)):
        for name, text in files.items():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_text(text, "utf-8")
        subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
        argv = [sys.executable, "-m", "pre_commit", "try-repo", str(clone), "--all-files"]
        done = subprocess.run(argv, cwd=repository, capture_output=True, text=True, check=False,
                              env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")})  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert secret not in done.stdout + done.stderr
    scanned, validated = done.stdout.split("- hook id: netbird-tokens-validate")
    assert "infra/tokens.yaml:5:3  error NB120" in validated
    assert "more/tokens/two.yaml:4" in validated
    assert "infra/tokens.yaml:5:3  error NB120" in scanned
    assert "notes.md:2:4  error NB120" in scanned


# Kubernetes


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [each for each in CLUSTER if each["kind"] == kind]


JOBS = {
    **{job["metadata"]["name"]: job["spec"]["jobTemplate"]["spec"] for job in of_kind("CronJob")},
    **{job["metadata"]["name"]: job["spec"] for job in of_kind("Job")},
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_a_job_is_unprivileged_and_is_retried_only_where_that_helps(job: dict[str, Any]) -> None:
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    parses(container["args"])
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    codes = job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"]
    assert RETRIED.isdisjoint(codes)
    assert codes == [2, 3, 4, 5, 6]


def test_a_scheduled_job_runs_alone() -> None:
    assert {job["spec"]["concurrencyPolicy"] for job in of_kind("CronJob")} == {"Forbid"}


def test_the_parts_of_the_indexed_job_are_those_of_its_shards() -> None:
    job = JOBS["apply-in-parts"]
    (container,) = job["template"]["spec"]["containers"]
    shard = container["args"][container["args"].index("--shard") + 1]
    assert shard == f"auto/{job['completions']}"


def test_the_files_in_the_cluster_are_valid(stage: Stage) -> None:
    (files,) = of_kind("ConfigMap")
    for name, text in files["data"].items():
        (stage.folder / name).write_text(text, "utf-8")
    ran = stage.run("validate")
    assert (ran.code, ran.err) == (0, "")


def test_the_rights_in_the_cluster_are_no_more_than_needed() -> None:
    assert not of_kind("ClusterRole")
    for role in of_kind("Role"):
        for rule in role["rules"]:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
            assert rule["resources"] in (["secrets"], ["leases"])


# systemd


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on PATH")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        text = (EXAMPLES / "systemd" / name).read_text("utf-8")
        (tmp_path / name).write_text(
            text.replace("/opt/netbird-tokens/bin/netbird-tokens", "/bin/true"), "utf-8"
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "netbird-tokens" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_what_the_units_call_is_there(name: str) -> None:
    text = (EXAMPLES / "systemd" / name).read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)
    parses(shlex.split(line))
    for numbers in re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE):
        assert RETRIED.isdisjoint(map(int, numbers.split()))


def test_the_units_are_one_user_that_stays_and_their_reports_can_be_read() -> None:
    """Secrets of a file sink belong to whoever renews them; the folder of a DynamicUser is behind a link."""
    texts = {name: (EXAMPLES / "systemd" / name).read_text("utf-8") for name in UNITS}
    services = {name: text for name, text in texts.items() if name.endswith(".service")}
    assert {re.findall("^User=(.*)$", text, re.MULTILINE)[0] for text in services.values()} == {
        "netbird-tokens"
    }
    for text in services.values():
        assert "\nDynamicUser=" not in text
        umask = re.findall("^UMask=(.*)$", text, re.MULTILINE)
        assert umask == (["0022"] if "prometheus=" in text else ["0077"])


# The image


def test_the_image_is_not_root_and_the_command_is_its_first_process() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    last = lines[max(n for n, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert 'ENTRYPOINT ["netbird-tokens"]' in last
    # a checkout that is mounted there is another user's: `plan --base` would be refused by Git
    assert any("safe.directory /work" in line for line in last)
    (user,) = [line.split()[1] for line in last if line.startswith("USER ")]
    assert user.split(":")[0] not in ("0", "root")
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
