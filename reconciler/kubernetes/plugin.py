"""Credential plugins: a command of the kubeconfig that prints whom to sign in as (ExecCredential).

It sees a few variables, those of the kubeconfig, and those that the config names: our own credential is
none of them. What it prints is never shown, on neither stream.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final

from reconciler.core.secret import Secret
from reconciler.errors import UsageError
from reconciler.http import Certificate, Header
from reconciler.kubernetes.identity import Credential, Unsigned
from reconciler.kubernetes.kubeconfig import Entry

_GROUP: Final = "client.authentication.k8s.io"
_VERSIONS: Final = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER")
_TIMEOUT: Final = 60.0
_EARLY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Command:
    """What is run.

    Attributes:
        env: All of its environment; not shown, it may hold credentials.
        tells: The ExecCredential that it is given.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    tells: Mapping[str, object] = field(repr=False)
    timeout: float = _TIMEOUT

    @property
    def name(self) -> str:
        return Path(self.argv[0]).name


def command_of(
    user: Entry, cluster: Mapping[str, object], env: Mapping[str, str], passed: Sequence[str]
) -> Command:
    """The plugin of a user.

    Args:
        user: Has an `exec`.
        cluster: What it is told of the cluster, if it asks for that.
        env: Our environment.
        passed: Variables that it gets besides.

    Raises:
        UsageError: It is written for another protocol, or wants to talk to somebody.
    """
    spec = Entry(f"the plugin of {user.what}", _mapping(user.fields["exec"]), user.folder)
    version, command = spec.text("apiVersion"), spec.text("command")
    if version not in _VERSIONS:
        raise UsageError(
            f"{spec.what} in the kubeconfig speaks {version}, not {' or '.join(_VERSIONS)}",
            hint="update the plugin, and let it write its kubeconfig again",
        )
    if command is None or spec.text("interactiveMode") == "Always":
        why = "names no command" if command is None else "wants to ask somebody"
        raise UsageError(
            f"{spec.what} in the kubeconfig {why}", hint="use a service account's token"
        )
    if os.sep in command:
        command = str(spec.folder / command)
    told: dict[str, object] = {"interactive": False}
    if spec.fields.get("provideClusterInfo") is True:
        told["cluster"] = dict(cluster)
    names = (*_INHERITED, *passed)
    return Command(
        argv=(command, *_args(spec)),
        env={**{n: env[n] for n in names if n in env}, **dict(_pairs(spec))},
        tells={"apiVersion": version, "kind": "ExecCredential", "spec": told},
    )


def _args(spec: Entry) -> Iterator[str]:
    found = spec.fields.get("args")
    for each in found if isinstance(found, list) else []:
        yield str(each)


def _pairs(spec: Entry) -> Iterator[tuple[str, str]]:
    found = spec.fields.get("env")
    for each in found if isinstance(found, list) else []:
        yield str(each["name"]), str(each["value"])


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


class Plugin:
    """The credential that a command gives, kept until it says that it ends, or until it is refused."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._one_at_a_time = Lock()
        self._is: Credential | Unsigned | None = None
        self._until: datetime | None = None

    def __call__(self, refused: Credential | None) -> Credential:
        """Raises Unsigned; one that failed is not run again."""
        with self._one_at_a_time:
            ended = self._until is not None and datetime.now(UTC) > self._until - _EARLY
            if self._is is None or self._is is refused or ended:
                try:
                    self._is, self._until = _credential(_run(self._command), self._command)
                except Unsigned as error:
                    self._is, self._until = error, None
            if isinstance(self._is, Unsigned):
                raise Unsigned(str(self._is))
            return self._is


def _run(command: Command) -> bytes:
    """What it prints; it is ended, and all that it started, when it takes too long."""
    env = {**command.env, "KUBERNETES_EXEC_INFO": json.dumps(command.tells)}
    try:
        process = subprocess.Popen(  # noqa: S603 - an operator's kubeconfig names it, no shell reads it
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )
    except OSError as error:
        raise Unsigned(f"the plugin {command.name} cannot be run: {error.strerror}") from None
    with process:
        try:
            printed, _ = process.communicate(timeout=command.timeout)
        except subprocess.TimeoutExpired:
            raise Unsigned(
                f"the plugin {command.name} did not end within {command.timeout:g} seconds"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise Unsigned(f"the plugin {command.name} failed with exit code {process.returncode}")
    return printed


def _credential(printed: bytes, command: Command) -> tuple[Credential, datetime | None]:
    """What it printed, understood. Nothing of it is quoted."""
    try:
        found = json.loads(printed)
    except (ValueError, RecursionError):
        found = None
    match found:
        case {"kind": "ExecCredential", "apiVersion": version, "status": dict(status)} if (
            version == command.tells["apiVersion"]
        ):
            pass
        case _:
            raise Unsigned(f"the plugin {command.name} printed no ExecCredential of its version")
    token, chain, key = (
        found if isinstance(found := status.get(name), str) else ""
        for name in ("token", "clientCertificateData", "clientKeyData")
    )
    auth = Header(Secret(token), "Bearer") if token else None
    certificate = Certificate(chain, Secret(key)) if chain and key else None
    if auth is None and certificate is None:
        raise Unsigned(f"the plugin {command.name} printed neither a token nor a certificate")
    return Credential(auth, certificate), _time(status.get("expirationTimestamp"), command)


def _time(written: object, command: Command) -> datetime | None:
    if written is None:
        return None
    try:
        return datetime.fromisoformat(str(written)).astimezone(UTC)
    except ValueError:
        raise Unsigned(f"the plugin {command.name} printed an end that is no time") from None
