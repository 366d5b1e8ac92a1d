"""A Kubernetes on loopback: Secrets and Leases in namespaces, users with rights, admission that says no.

`python tests/fakes/kubernetes.py 20 OBJECTS.json` serves one whose answers take 20 ms.
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

import yaml
from fakes.kubernetes_objects import Act, Refused, Request, Said, Shelf, status
from fakes.loopback import Handler, running

ROOT = "root-token"
NAMESPACE = "netbird"
ALL = [{"verbs": ["*"], "resources": ["*"]}]
_PATCHES: dict[str, Act] = {
    "application/apply-patch+yaml": Shelf.apply,
    "application/merge-patch+json": Shelf.merge,
    "application/strategic-merge-patch+json": Shelf.merge,  # alike, for maps of texts
}
_ACTS: dict[str, tuple[str, Act]] = {
    "POST": ("create", Shelf.post),
    "PUT": ("update", Shelf.put),
    "DELETE": ("delete", Shelf.delete),
    "GET": ("get", Shelf.get),
}
Rules = list[dict[str, list[str]]]
"""The rules of a Role: verbs, resources, and maybe resourceNames."""


@dataclass
class Webhook:
    """Admission of some verbs: it denies them with a code, or fails itself."""

    verbs: set[str]
    code: int | None

    @property
    def said(self) -> Said:
        if self.code is None:
            said = 'failed calling webhook "w.example": failed to call webhook: Post "https://w": EOF'
            return 500, status(500, "InternalError", f"Internal error occurred: {said}")
        return self.code, status(self.code, "", 'admission webhook "w.example" denied the request: no')


@dataclass
class Kubernetes:
    """`users`: name and rights, by token; a client certificate with a name that is here has its rights."""

    users: dict[str, tuple[str, Rules]] = field(default_factory=lambda: {ROOT: ("root", ALL)})
    webhooks: list[Webhook] = field(default_factory=list)
    latency: float = 0.0
    url: str = ""

    def __post_init__(self) -> None:
        self.namespaces = {"default", NAMESPACE}
        self.secrets = Shelf("Secret", "secrets", "", self.namespaces)
        self.leases = Shelf("Lease", "leases", "coordination.k8s.io", self.namespaces)

    @contextmanager
    def served(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        with running(_Handler, self, tls) as self.url:
            yield self

    def kubeconfig(self, path: Path, token: str = ROOT, server: str = "") -> Path:
        """A file that leads here as one user."""
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server or self.url}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [
                {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": NAMESPACE}}
            ],
        }
        path.write_text(yaml.safe_dump(whole), encoding="utf-8")
        return path

    def handle(self, method: str, target: str, who: str | None, request: Request) -> Said:
        where = urlsplit(target)
        parts = unquote(where.path).strip("/").split("/")
        request.query = dict(parse_qsl(where.query))
        shelf, rest = self._shelf(parts)
        if who is None or all(name != who for name, _ in self.users.values()):
            return 401, status(401, "Unauthorized", "Unauthorized")
        if shelf is None:
            return _about(parts, self.namespaces)
        request.namespace, request.name = rest[0], (rest[1:] or [""])[0]
        verb, act = self._act(method, request, shelf)
        if not self._may(who, verb, shelf, request):
            return self._forbidden(who, verb, shelf, request)
        try:
            for webhook in self.webhooks:
                if verb in webhook.verbs:
                    return webhook.said
            return act(shelf, request)
        except Refused as refused:
            return refused.said

    def _shelf(self, parts: list[str]) -> tuple[Shelf | None, list[str]]:
        for shelf in (self.secrets, self.leases):
            head = ["apis", shelf.group, "v1"] if shelf.group else ["api", "v1"]
            at = len(head)
            if parts[: at + 1] == [*head, "namespaces"] and parts[at + 2 :][:1] == [shelf.plural]:
                return shelf, [parts[at + 1], *parts[at + 3 :]]
        return None, []

    def _act(self, method: str, request: Request, shelf: Shelf) -> tuple[str, Act]:
        if method == "PATCH":
            return "patch", _PATCHES.get(request.content_type, _unsupported)
        if method == "GET" and not request.name:
            return "list", Shelf.list
        if request.content_type == "application/vnd.kubernetes.protobuf":
            return _ACTS[method][0], _unsupported
        return _ACTS[method]

    def _may(self, who: str, verb: str, shelf: Shelf, request: Request) -> bool:
        for name, rules in self.users.values():
            for rule in rules if name == who else []:
                names = rule.get("resourceNames")
                if (
                    {verb, "*"} & set(rule["verbs"])
                    and {shelf.plural, "*"} & set(rule["resources"])
                    and (not names or request.name in names)
                ):
                    return True
        return False

    def _forbidden(self, who: str, verb: str, shelf: Shelf, request: Request) -> Said:
        named = f' "{request.name}"' if request.name else ""
        said = (
            f'{shelf.resource}{named} is forbidden: User "{who}" cannot {verb} resource "{shelf.plural}" '
            f'in API group "{shelf.group}" in the namespace "{request.namespace}"'
        )
        details = shelf.details(request.name) if request.name else {"kind": shelf.plural}
        return 403, status(403, "Forbidden", said, **details)


def _unsupported(_shelf: Shelf, request: Request) -> Said:
    said = f"the body of the request was in an unknown format: {request.content_type}"
    return 415, status(415, "UnsupportedMediaType", said)


def _about(parts: list[str], namespaces: set[str]) -> Said:
    """What a client asks before it asks: versions, groups, resources."""
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    match parts:
        case ["version"]:
            return 200, {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
        case ["api"]:
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            version = {"groupVersion": "coordination.k8s.io/v1", "version": "v1"}
            group = {"name": "coordination.k8s.io", "versions": [version], "preferredVersion": version}
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}
        case ["api", "v1", "namespaces", name] if name in namespaces:
            return 200, {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        case ["api", "v1"]:
            found = {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret"}
            group_version = "v1"
        case ["apis", "coordination.k8s.io", "v1"]:
            found = {"name": "leases", "singularName": "lease", "namespaced": True, "kind": "Lease"}
            group_version = "coordination.k8s.io/v1"
        case _:
            return 404, "404 page not found\n"
    resources = [{**found, "verbs": verbs}]
    whole = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version}
    return 200, {**whole, "resources": resources}


class _Handler(Handler):
    def _serve(self) -> None:
        kubernetes: Kubernetes = self.fake
        due = time.monotonic() + kubernetes.latency
        raw = self.sent()
        content_type = self.headers.get("Content-Type", "application/json").partition(";")[0]
        request = Request("", "", {}, None, content_type, self.headers.get("Accept", ""))
        request.agent = self.headers.get("User-Agent", "unknown").partition("/")[0]
        if content_type.endswith(("json", "yaml")) and raw:
            request.body = yaml.safe_load(raw) if content_type.endswith("yaml") else json.loads(raw)
        status_code, document = kubernetes.handle(self.command, self.path, self._who(), request)
        is_text = isinstance(document, str)
        content = document.encode() if is_text else json.dumps(document).encode()
        time.sleep(max(due - time.monotonic(), 0.0))
        self.say(status_code, [("Content-Type", "text/plain" if is_text else "application/json")], content)

    def _who(self) -> str | None:
        """The user of a token, else the one that a certificate names."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in self.fake.users:
            return self.fake.users[token][0]
        shown: Any = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        for ((name, value),) in (shown or {}).get("subject", ()):
            if name == "commonName":
                return str(value)
        return None

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - http.server's


def main(latency_ms: str, objects: str) -> None:
    """Serve Secrets from a file until this process is ended."""
    kubernetes = Kubernetes(latency=float(latency_ms) / 1000)
    for body in json.loads(Path(objects).read_text(encoding="utf-8")):
        kubernetes.secrets.post(Request(NAMESPACE, "", {"fieldManager": "test"}, body))
    with kubernetes.served():
        sys.stdout.write(f"{kubernetes.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
