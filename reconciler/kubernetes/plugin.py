"""Credential plugins: a command of the kubeconfig that prints whom to sign in as (ExecCredential).

It sees a few variables, those of the kubeconfig, and those that the config names: our own credential is
none of them. What it prints is never shown, on neither stream.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final

from reconciler.core.secret import Secret
from reconciler.errors import UsageError
from reconciler.http import Certificate, Header
from reconciler.kubernetes.identity import Credential, Unsigned
from reconciler.kubernetes.kubeconfig import Entry
from reconciler.program import NotStarted, Program

_GROUP: Final = "client.authentication.k8s.io"
_VERSIONS: Final = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_EARLY: Final = timedelta(seconds=30)
TIMEOUT: Final = 60.0
"""Seconds that a plugin may take; some ask a browser, and nobody is there."""


def plugin_of(user: Entry, cluster: Mapping[str, object], env: Mapping[str, str]) -> Plugin:
    """The plugin of a user.

    Args:
        user: Has an `exec`.
        cluster: What it is told of the cluster, if it asks for that.
        env: What it sees of our environment.

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
    tells = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": told})
    seen = {**env, **dict(_pairs(spec)), "KUBERNETES_EXEC_INFO": tells}
    return Plugin(Program((command, *_args(spec)), seen, Path(), TIMEOUT), version)


def _args(spec: Entry) -> Iterator[str]:
    found = spec.fields.get("args")
    for each in found if isinstance(found, list) else []:
        yield str(each)


def _pairs(spec: Entry) -> Iterator[tuple[str, str]]:
    found = spec.fields.get("env")
    for each in found if isinstance(found, list) else []:
        match each:
            case {"name": name, "value": value}:
                yield str(name), str(value)
            case _:
                raise UsageError(
                    f"{spec.what} in the kubeconfig has an `env` without names and values",
                    hint="does `kubectl` work with this file?",
                )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


class Plugin:
    """The credential that a command gives, kept until it says that it ends, or until it is refused."""

    def __init__(self, program: Program, version: str) -> None:
        self._program = program
        self._version = version
        self._name = Path(program.argv[0]).name
        self._one_at_a_time = Lock()
        self._is: Credential | Unsigned | None = None
        self._until: datetime | None = None

    def __call__(self, refused: Credential | None) -> Credential:
        """Raises Unsigned; one that failed is not run again."""
        with self._one_at_a_time:
            ended = self._until is not None and datetime.now(UTC) > self._until - _EARLY
            if self._is is None or self._is is refused or ended:
                try:
                    self._is, self._until = self._credential(self._printed())
                except Unsigned as error:
                    self._is, self._until = error, None
            if isinstance(self._is, Unsigned):
                raise Unsigned(str(self._is))
            return self._is

    def _printed(self) -> bytes:
        try:
            ended = self._program.run()
        except NotStarted:
            raise Unsigned(f"the plugin {self._name} cannot be run: is it installed?") from None
        if ended.why:
            raise Unsigned(f"the plugin {self._name} {ended.why}")
        if ended.status:
            raise Unsigned(f"the plugin {self._name} failed with exit code {ended.status}")
        return ended.out

    def _credential(self, printed: bytes) -> tuple[Credential, datetime | None]:
        """What it printed, understood, and when that ends. Nothing of it is quoted."""
        match _json(printed):
            case {"kind": "ExecCredential", "apiVersion": self._version, "status": dict(status)}:
                pass
            case _:
                raise Unsigned(f"the plugin {self._name} printed no ExecCredential of its version")
        token, chain, key = (
            found if isinstance(found := status.get(name), str) else ""
            for name in ("token", "clientCertificateData", "clientKeyData")
        )
        if not token and not (chain and key):
            raise Unsigned(f"the plugin {self._name} printed neither a token nor a certificate")
        return Credential(
            Header(Secret(token), "Bearer") if token else None,
            Certificate(chain, Secret(key)) if chain and key else None,
        ), self._end(status.get("expirationTimestamp"))

    def _end(self, written: object) -> datetime | None:
        if written is None:
            return None
        try:
            return datetime.fromisoformat(str(written)).astimezone(UTC)
        except ValueError:
            raise Unsigned(f"the plugin {self._name} printed an end that is no time") from None


def _json(printed: bytes) -> object:
    try:
        return json.loads(printed)
    except (ValueError, RecursionError):
        return None
