"""Signing in to Vault: with a token as it is, or by a login, whose token stays in memory.

Credentials come from the environment, or from a file that the config names; never from the config.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, UsageError
from reconciler.http import Answer, Auth, Client, Header, Json, Limits
from reconciler.sinks.rest import why
from reconciler.sinks.vault.github_job import RIGHT, fetched, may_fetch
from reconciler.surroundings import Surroundings
from reconciler.transaction import awake_or_not

TOKEN: Final = "X-Vault-Token"  # noqa: S105 - the name of a header
_VARIABLES: Final = {
    "token": ("VAULT_TOKEN", "BAO_TOKEN"),
    "approle": ("VAULT_SECRET_ID", "BAO_SECRET_ID"),
    "jwt": ("VAULT_ID_TOKEN", "BAO_ID_TOKEN"),
    "kubernetes": (),
}
_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_LIMITS: Final = Limits(timeout=(10.0, 30.0), body=1024 * 1024)
_MOST: Final = 64 * 1024
_REPEATABLE: Final = ("jwt", "kubernetes")
_USED: Final = 0.9
"""The part of a token's time after which another one is asked for."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """A token, and when it ends, by the clock of its session."""

    auth: Auth
    end: float = math.inf


class Session:
    """A token for this run, got when it is first needed.

    A login that failed is not tried again: a secret id may be good for one use, and some servers lock
    out who fails too often. One that went well is repeated when its token ends, except with a secret id.

    Args:
        client: Can POST below `auth/` and nowhere else.
        headers: Sent with a login.
        auth: The `auth` of the config.
        around: Its environment and folder have the credential.
        clock: Seconds from any start; how old a token is, is judged by it.

    Raises:
        UsageError: The config names two places for it.
    """

    def __init__(
        self,
        client: Client,
        headers: Mapping[str, str],
        auth: Mapping[str, object],
        around: Surroundings,
        clock: Callable[[], float] = awake_or_not,
    ) -> None:
        self._client = client
        self._headers = headers
        self._auth = auth
        self._find = _finder(auth, around)
        self._one_at_a_time = Lock()
        self._clock = clock
        self._is: _Pass | SinkRefused | None = None

    def header(self) -> Auth:
        """What writes the token into a request.

        Raises:
            SinkRefused: There is no credential, or it was not let in.
        """
        with self._one_at_a_time:
            if self._is is None or (isinstance(self._is, _Pass) and self._is.end <= self._clock()):
                try:
                    self._is = self._signed_in()
                except SinkRefused as error:
                    self._is = error
            held = self._is
        if isinstance(held, SinkRefused):
            raise SinkRefused(held.message, hint=held.hint)
        return held.auth

    def _signed_in(self) -> _Pass:
        credential = self._find()
        method = str(self._auth["method"])
        if method == "token":
            return _pass(credential)
        if method == "approle":
            body = {"role_id": self._auth["role_id"], "secret_id": credential}
        else:
            body = {"role": self._auth["role"], "jwt": credential}
        begun = self._clock()
        token, lease = self._login(str(self._auth.get("mount", method)), body)
        if method in _REPEATABLE and lease > 0:
            return _pass(token, begun + lease * _USED)
        return _pass(token)

    def _login(self, mount: str, body: Mapping[str, object]) -> tuple[str, float]:
        """The token, and for how many seconds it is good; 0: without end.

        Sent once: a credential may be good for a single use.
        """
        outcome = self._client.ask("POST", f"{mount}/login", None, _LIMITS, body, self._headers)
        match outcome:
            case Answer(content=Json({"auth": {"client_token": str(token), **more}})) if token:
                lease = more.get("lease_duration")
                return token, lease if isinstance(lease, int) else 0
            case Answer(content=Json({"auth": {"mfa_requirement": dict()}})):
                reason = "it asks for a second factor, which nobody here can give"
            case _:
                reason = why(outcome)
        raise SinkRefused(
            f"cannot sign in to Vault at auth/{mount}: {reason}",
            hint="check `auth` in the config, the role, and that the credential is still good",
        )


def _pass(token: str, end: float = math.inf) -> _Pass:
    return _Pass(Header(Secret(token), name=TOKEN), end)


def _finder(auth: Mapping[str, object], around: Surroundings) -> Callable[[], str]:
    """How to find the credential; a closure, so that no environment stands in any repr."""
    method = str(auth["method"])
    if "env" in auth and "file" in auth:
        raise UsageError(
            "a vault sink names both a variable and a file for its credential",
            hint="keep one of `env` and `file` in its `auth`",
        )
    named = auth.get("file", _SERVICE_ACCOUNT if method == "kubernetes" else None)
    variables = (str(auth["env"]),) if "env" in auth else _VARIABLES[method]

    def find() -> str:
        if named is not None and "env" not in auth:
            return _content(around.base / Path(str(named)).expanduser())
        for name in variables:
            if around.env.get(name, "").strip():
                return around.env[name].strip()
        if method == "jwt" and may_fetch(around.env):
            return fetched(around.env, str(auth.get("audience", "")))
        if method == "jwt" and "GITHUB_ACTIONS" in around.env:
            raise SinkRefused("GitHub Actions gives this job no identity token", hint=RIGHT)
        raise SinkRefused(
            f"there is no credential for Vault: {' and '.join(variables)} not set",
            hint="set it, or name a file with `auth: {file: …}` in the config",
        )

    return find


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise SinkRefused(
            f"the credential for Vault cannot be read: {path}: {error.strerror}",
            hint="check `auth: {file: …}` in the config",
        ) from None
    text = content.decode("utf-8", errors="replace").strip()
    if not text or len(content) > _MOST:
        raise SinkRefused(
            f"the file {path} holds no credential for Vault", hint="is it another file?"
        )
    return text
