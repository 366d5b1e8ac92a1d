"""A Vault on loopback: KV mounts in namespaces, tokens with policies, logins. Written after OpenBao's source.

`python tests/fakes/vault.py 20 RECORDS.json` serves one whose answers take 20 ms, and prints its address.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from fakes.loopback import Handler, running
from fakes.vault_kv import Mount, Said

ROOT = "root-token"
DENIED: Said = (403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
_OPERATIONS = {"GET": "read", "LIST": "list", "DELETE": "delete", "PUT": "update", "POST": "update"}
Policy = dict[str, set[str]]
"""Paths, or beginnings of paths with a `*` behind, to capabilities."""


@dataclass
class Role:
    """What one login must send, and what its token may do. `uses`: how often; None: no limit.

    `lease`: for how many seconds its tokens are good, it says; a test ends them. 0: without end.
    """

    sends: dict[str, str]
    policy: Policy
    uses: int | None = None
    lease: int = 0


@dataclass
class Vault:
    """Everything is by namespace; the root namespace is the empty text."""

    mounts: dict[tuple[str, str], Mount] = field(default_factory=lambda: {("", "secret"): Mount()})
    tokens: dict[str, tuple[str, Policy]] = field(default_factory=dict)
    roles: dict[tuple[str, str], Role] = field(default_factory=dict)
    sealed: bool = False
    latency: float = 0.0
    url: str = ""

    @contextmanager
    def served(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with running(_Handler, self, tls) as self.url:
            yield self

    def token(self, policy: Policy, namespace: str = "") -> str:
        name = f"hvs.{len(self.tokens) + 1:020d}"
        self.tokens[name] = (namespace, policy)
        return name

    def handle(self, method: str, target: str, headers: dict[str, str], body: Any) -> Said:
        where = urlsplit(target)
        query = dict(parse_qsl(where.query))
        path = unquote(where.path).removeprefix("/v1/")
        namespace = headers.get("X-Vault-Namespace", "").strip("/")
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        operation = "list" if query.get("list") == "true" else _OPERATIONS[method]
        if path.startswith("auth/") and path.endswith("/login"):
            return self._login(namespace, path.removeprefix("auth/").removesuffix("/login"), body)
        token = headers.get("X-Vault-Token", "")
        policy = self._policy(token, namespace)
        if policy is None:
            return DENIED
        if path == "auth/token/lookup-self" or path.startswith("sys/"):
            return self._system(path.removeprefix("sys/"), namespace, policy, body)
        return self._secret(operation, path, namespace, policy, query, body)

    def _policy(self, token: str, namespace: str) -> Policy | None:
        if token == ROOT:
            return {"*": {"root"}}
        home, policy = self.tokens.get(token, (None, None))
        return policy if home == namespace else None

    def _login(self, namespace: str, mount: str, body: Any) -> Said:
        role = self.roles.get((namespace, mount))
        if role is None:
            return 403, {"errors": ["permission denied"]}
        if body != role.sends or role.uses == 0:
            return 400, {"errors": ["invalid role or secret ID"]}
        role.uses = None if role.uses is None else role.uses - 1
        token = self.token(role.policy, namespace)
        told = {"client_token": token, "policies": ["default"], "renewable": True}
        return 200, {"auth": {**told, "lease_duration": role.lease}}

    def _system(self, path: str, namespace: str, policy: Policy, body: Any) -> Said:
        if path == "capabilities-self":
            if "sys/capabilities-self" not in policy and "*" not in policy:
                return DENIED
            told = {each: sorted(_allowed(policy, each)) or ["deny"] for each in body["paths"]}
            return 200, {"data": {**told}, **told}
        if path.startswith("internal/ui/mounts/"):
            wanted = path.removeprefix("internal/ui/mounts/").strip("/")
            name = self._mount_of(namespace, wanted)
            mine = [p for p in policy if p == "*" or (name and p.startswith(f"{name}/"))]
            if name is None or not mine:
                said = "preflight capability check returned 403, please ensure client's policies grant"
                return 403, {"errors": [f'{said} access to path "{wanted}/"']}
            mount = self.mounts[namespace, name]
            options = {"version": "2"} if mount.version == 2 else None
            return 200, {"data": {"path": f"{name}/", "type": mount.kind, "options": options}}
        return 200, {"data": {"id": "…", "policies": ["default"]}}

    def _mount_of(self, namespace: str, path: str) -> str | None:
        found = [
            name
            for home, name in self.mounts
            if home == namespace and f"{path}/".startswith(f"{name}/")
        ]
        return max(found, key=len, default=None)

    def _secret(
        self, operation: str, path: str, namespace: str, policy: Policy, query: dict[str, str], body: Any
    ) -> Said:
        name = self._mount_of(namespace, path)
        mount = self.mounts[namespace, name] if name is not None else None
        below = path.removeprefix(f"{name}/")
        if mount and operation == "update" and mount.exists(below) is False:
            operation = "create"
        if not {operation, "root"} & _allowed(policy, path):
            return DENIED
        if mount is None:
            said = f'no handler for route "{path}". route entry not found.'
            return 404, {"errors": [said]}
        if ".." in below:
            return 400, {"errors": ["path cannot contain parent references"]}
        return mount.handle(operation, below, query, body)


def _allowed(policy: Policy, path: str) -> set[str]:
    """The exact path, else the longest beginning that matches."""
    if path in policy:
        return policy[path]
    fits = [each for each in policy if each.endswith("*") and path.startswith(each[:-1])]
    return policy[max(fits, key=len)] if fits else set()


class _Handler(Handler):
    def _serve(self) -> None:
        vault: Vault = self.fake
        due = time.monotonic() + vault.latency
        body = json.loads(self.sent() or b"null")
        status, document = vault.handle(self.command, self.path, dict(self.headers), body)
        content = b"" if document is None else json.dumps(document).encode()
        time.sleep(max(due - time.monotonic(), 0.0))
        self.say(status, [("Content-Type", "application/json")], content)

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = _serve  # noqa: N815 - http.server's


def main(latency_ms: str, records: str) -> None:
    """Serve data maps by key, from a file, until this process is ended."""
    vault = Vault(latency=float(latency_ms) / 1000)
    for key, data in json.loads(Path(records).read_text(encoding="utf-8")).items():
        vault.mounts["", "secret"].handle("update", f"data/{key}", {}, {"data": data})
    with vault.served():
        sys.stdout.write(f"{vault.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
