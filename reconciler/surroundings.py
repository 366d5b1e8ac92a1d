"""What adapters are built from besides their own options; `wiring` fills it in."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER")
"""A child sees these and no more: no credential of ours is ever in its environment."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a run takes place.

    Attributes:
        base: The folder that relative paths count from.
        env: The environment; credentials are taken from it, never from the config.
        allow_http: Whether an operator accepts plain http beyond this machine.
    """

    base: Path
    env: Mapping[str, str]
    allow_http: bool

    def for_child(self, more: Collection[str] = ()) -> dict[str, str]:
        """The environment of a program that we run; `more` are names that the config lists."""
        return {name: self.env[name] for name in (*INHERITED, *more) if name in self.env}


@dataclass(frozen=True, slots=True)
class Job:
    """The run of a CI system that we are part of, as its variables say; all empty outside of one.

    Attributes:
        actor: Who set it off.
        url: Its page.
        commit: Which one set it off; it may have checked out another.
        root: The folder of the repository on this machine.
    """

    actor: str = ""
    url: str = ""
    commit: str = ""
    root: str = ""


def job_of(env: Mapping[str, str]) -> Job:
    """GitHub's job, or GitLab's. Anybody may have set these variables: shown, never judged."""
    if env.get("GITHUB_RUN_ID"):
        where = [env.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY")]
        url = "/".join([*where, "actions/runs", env["GITHUB_RUN_ID"]])
        names = ("GITHUB_ACTOR", "GITHUB_SHA", "GITHUB_WORKSPACE")
    else:
        url = env.get("CI_JOB_URL", "")
        names = ("GITLAB_USER_LOGIN", "CI_COMMIT_SHA", "CI_PROJECT_DIR")
    actor, commit, root = (env.get(name, "") for name in names)
    return Job(actor, url, commit, root)


def who_runs() -> str:
    """User and host of this process."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = f"uid {os.geteuid()}"
    return f"{user}@{socket.gethostname()}"
