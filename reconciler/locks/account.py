"""Who we are to a lock server: user name and password, from the environment alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.core.secret import Secret
from reconciler.errors import LockDenied
from reconciler.http import Basic

_OWN: Final = "NETBIRD_TOKENS_LOCK"
_TERRAFORM: Final = "TF_HTTP"
HINT: Final = f"set {_OWN}_USERNAME and {_OWN}_PASSWORD"


def account(env: Mapping[str, str], *, gitlab_job_token: bool) -> Basic | None:
    """The first of: our own variables, the job's token if the config says so, Terraform's variables.

    Raises:
        LockDenied: Only one half of our own pair is set; nothing was sent.
    """
    own = _pair(env, _OWN)
    if own is None and any(env.get(name) for name in _names(_OWN)):
        raise LockDenied("one half of the lock server's account is missing", hint=HINT)
    if own is None and gitlab_job_token and env.get("CI_JOB_TOKEN"):
        return Basic("gitlab-ci-token", Secret(env["CI_JOB_TOKEN"]))
    return own or _pair(env, _TERRAFORM)


def _pair(env: Mapping[str, str], prefix: str) -> Basic | None:
    user, password = (env.get(name, "") for name in _names(prefix))
    return Basic(user, Secret(password)) if user and password else None


def _names(prefix: str) -> tuple[str, str]:
    return f"{prefix}_USERNAME", f"{prefix}_PASSWORD"
