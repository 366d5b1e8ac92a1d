"""Runs the jobs of a GitHub workflow as a runner would, as far as ours need it: bash, artifacts, outputs.

Each step is a process of its own with a file for its outputs and one for the summary. Of expressions it
knows the lookups that our workflows use; one that it does not know is an error.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
OURS = "netbird-tokens/netbird-tokens@v0"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def load(name: str) -> dict[str, Any]:
    """A workflow of examples/github; `on` is a word here, not a truth."""
    text = (ROOT / "examples" / "github" / name).read_text("utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes nothing but text
    return found


@dataclass
class Done:
    """A job that has ended: the exit code of the first step that failed, or 0."""

    code: int
    outputs: dict[str, str]
    summary: str
    log: str


@dataclass
class Runner:
    """One runner: `work` is its checkout, `bin` has the commands that stand in for others.

    Attributes:
        context: What expressions may look up, by its whole name.
        artifacts: Of all jobs, by name.
    """

    work: Path
    bin: Path
    temp: Path
    context: dict[str, str]
    artifacts: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        installed = self.temp / "netbird-tokens" / "bin"
        installed.mkdir(parents=True)
        command = installed / "netbird-tokens"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', "utf-8")
        command.chmod(0o755)

    def job(self, workflow: str, name: str, **more: str) -> Done:
        """Run every step until one fails; what is to run `always` or if not cancelled runs all the same."""
        job = load(workflow)["jobs"][name]
        done, known = Done(0, {}, "", ""), {**self.context, **more}
        for number, step in enumerate(job["steps"]):
            ident = step.get("id", str(number))
            known[f"steps.{ident}.outcome"] = "skipped"
            if not holds(step.get("if", ""), known, failed=bool(done.code)):
                continue
            env = {
                k: self.said(v, known)
                for k, v in {**job.get("env", {}), **step.get("env", {})}.items()
            }
            outputs = self.temp / f"outputs-{name}-{number}"
            code = self.step(step, env, known, outputs, done)
            done.code = done.code or code
            known[f"steps.{ident}.outcome"] = "failure" if code else "success"
            for key, value in _outputs(outputs).items():
                known[f"steps.{ident}.outputs.{key}"] = value
        done.outputs = {k: self.said(v, known) for k, v in job.get("outputs", {}).items()}
        return done

    def step(
        self,
        step: dict[str, Any],
        env: dict[str, str],
        known: dict[str, str],
        outputs: Path,
        done: Done,
    ) -> int:
        uses, given = step.get("uses", ""), step.get("with", {})
        inputs = {k: self.said(v, known) for k, v in given.items()}
        if uses == OURS:
            return self.action(inputs, env, outputs, done)
        if uses.startswith("actions/upload-artifact@"):
            return self.upload(inputs)
        if uses.startswith("actions/download-artifact@"):
            return self.download(inputs)
        if uses.startswith("actions/checkout@"):
            self.checkout(inputs.get("ref", known["github.sha"]))
            return 0
        assert not uses, uses
        options = "-eo pipefail" if step.get("shell") else "-e"  # so GitHub has it
        return self.bash(step["run"], env, outputs, done, self.work, options)

    def action(self, inputs: dict[str, str], env: dict[str, str], outputs: Path, done: Done) -> int:
        """Our own action: the script of its last step."""
        known = {
            f"inputs.{key}": str(each.get("default", "")) for key, each in ACTION["inputs"].items()
        }
        assert all(f"inputs.{key}" in known for key in inputs), inputs
        known |= {f"inputs.{key}": value for key, value in inputs.items()}
        script = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "run")
        own = {key: self.said(value, known) for key, value in script["env"].items()}
        where = self.work / self.said(script["working-directory"], known)
        return self.bash(script["run"], {**env, **own}, outputs, done, where)

    def checkout(self, ref: str) -> None:
        """A commit, or the tip of a branch by its whole name, as the remote has it now, and no more."""
        fetched = f"origin/{ref.removeprefix('refs/heads/')}" if ref.startswith("refs/") else ref
        for argv in (["fetch", "-q", "origin"], ["checkout", "-q", "--force", "--detach", fetched],
                     ["clean", "-ffdxq"]):  # fmt: skip
            subprocess.run(["git", *argv], cwd=self.work, check=True)

    def bash(
        self,
        script: str,
        env: dict[str, str],
        outputs: Path,
        done: Done,
        where: Path,
        options: str = "-eo pipefail",
    ) -> int:
        summary = self.temp / "summary"
        summary.unlink(missing_ok=True)
        summary.touch()
        whole = {
            "PATH": f"{self.bin}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(self.temp),
            "RUNNER_TEMP": str(self.temp), "GITHUB_ACTIONS": "true", "CI": "true",
            "GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_REPOSITORY": "acme/infra", "GITHUB_WORKSPACE": str(self.work),
            "NB_MANAGEMENT_URL": self.context["url"], "GIT_CONFIG_GLOBAL": os.devnull, **env,
        }  # fmt: skip
        argv = ["bash", "--noprofile", "--norc", *options.split(), "-c", script]
        ran = subprocess.run(
            argv, cwd=where, env=whole, capture_output=True, text=True, timeout=120, check=False
        )
        done.log += ran.stdout + ran.stderr
        done.summary += summary.read_text("utf-8")
        return ran.returncode

    def upload(self, inputs: dict[str, str]) -> int:
        path = self.work / inputs["path"]
        if not path.exists():
            return 1 if inputs.get("if-no-files-found") == "error" else 0
        kept = self.temp / "artifacts" / inputs["name"]
        kept.mkdir(parents=True, exist_ok=True)
        shutil.move(str(path), kept / path.name)
        self.artifacts[inputs["name"]] = kept
        return 0

    def download(self, inputs: dict[str, str]) -> int:
        if "name" in inputs:
            shutil.copytree(self.artifacts[inputs["name"]], self.work, dirs_exist_ok=True)
        else:
            start = inputs["pattern"].removesuffix("*")
            for name in filter(lambda each: each.startswith(start), self.artifacts):
                shutil.copytree(
                    self.artifacts[name], self.work / inputs["path"] / name, dirs_exist_ok=True
                )
        return 0

    def said(self, text: object, known: dict[str, str]) -> str:
        """A text with its expressions looked up; in a composite action GitHub keeps them as they are."""
        return _EXPRESSION.sub(lambda found: known[found[1]], str(text))


def holds(condition: str, known: dict[str, str], *, failed: bool) -> bool:
    """Whether a step runs; without a word on the steps before it, only if none has failed."""
    text = _EXPRESSION.sub(lambda found: found[1], condition)
    terms = [term.strip() for term in text.split("&&")] if text else []
    if failed and not {"always()", "!cancelled()"} & set(terms):
        return False
    return all(_term(term, known) for term in terms)


def _term(term: str, known: dict[str, str]) -> bool:
    if term in ("always()", "!cancelled()"):
        return True
    left, sign, right = re.split(r" (==|!=) ", term)
    values = [each[1:-1] if each.startswith("'") else known[each] for each in (left, right)]
    return (values[0] == values[1]) is (sign == "==")


def _outputs(file: Path) -> dict[str, str]:
    """What a step wrote for GITHUB_OUTPUT: `name=value`, or `name<<END` and lines."""
    found: dict[str, str] = {}
    lines = iter(file.read_text("utf-8").splitlines() if file.exists() else ())
    for line in lines:
        name, heredoc, end = line.partition("<<")
        if heredoc and "=" not in name:
            found[name] = "\n".join(iter(lambda: next(lines), end))
        else:
            name, _, value = line.partition("=")
            found[name] = value
    return found


GH = """#!{python}
import json, os, pathlib, shutil, sys

store = pathlib.Path({store!r})
argv = sys.argv[1:]
comments = json.loads((store / "comments.json").read_text()) if (store / "comments.json").exists() else {{}}
if argv[:2] == ["run", "list"]:
    asked = dict(zip(argv[2::2], argv[3::2]))
    for run in sorted((store / "runs").glob("*"), key=lambda path: -int(path.name)):
        facts = json.loads((run / "run.json").read_text())
        if all(asked.get("--" + name, value) == value for name, value in facts.items()):
            print(facts["updated"], run.name)
elif argv[:2] == ["run", "download"]:
    asked = dict(zip(argv[3::2], argv[4::2]))
    kept = store / "runs" / argv[2] / "artifacts" / asked["--name"]
    if not kept.exists():
        sys.exit("no valid artifacts found to download")
    shutil.copytree(kept, asked.get("--dir", "."))
elif argv[0] == "api" and "--jq" in argv:
    if (store / "down").exists():
        sys.exit("gh: HTTP 502")
    bot = '"github-actions[bot]"' in argv[argv.index("--jq") + 1]
    print("\\n".join(key for key, body in comments.items()
                     if body.startswith(os.environ["MARK"]) and not (bot and key.startswith("9"))))
elif argv[0] == "api":
    path = next(each for each in argv[1:] if each.startswith("repos/"))
    body = pathlib.Path(argv[argv.index("--field") + 1].removeprefix("body=@")).read_text()
    key = path.rsplit("/", 1)[1] if "--method" in argv else str(len(comments) + 1)
    comments[key] = body
    (store / "comments.json").write_text(json.dumps(comments))
else:
    sys.exit(f"gh: {{argv}}")
"""
"""A stand-in for `gh`: runs, artifacts and comments are files; a stranger's comment has a number like 91.
A file `down` makes every list of comments fail."""


def comments(temp: Path) -> list[str]:
    file = temp / "comments.json"
    return list(json.loads(file.read_text("utf-8")).values()) if file.exists() else []
