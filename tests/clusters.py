"""An API server and everybody at it: our sink or lock behind a relay, and a consumer with plain HTTP.

Without a relay in between, and without any code of ours, `ask` is what a stranger sends.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from fakes.kubernetes import NAMESPACE, ROOT, Kubernetes
from fakes.relay import Passed, Relay
from requests import PreparedRequest

from reconciler.core.ports import Sink
from reconciler.kubernetes import cluster_of
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings

REAL = os.environ.get("NETBIRD_TOKENS_TEST_KUBECONFIG")
NO_REAL = "no real Kubernetes: set NETBIRD_TOKENS_TEST_KUBECONFIG (tests/README.md)"


@dataclass
class Server:
    """One API server, as somebody with every right sees it.

    Attributes:
        token: Empty where a certificate in `tls` says who we are.
    """

    url: str
    namespace: str
    token: str = ROOT
    tls: ssl.SSLContext | None = None

    def ask(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        where = urlsplit(self.url)
        address = str(where.hostname), where.port
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(*address, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(*address)
        )
        headers = {"Content-Type": content_type, "User-Agent": "somebody/1"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body)
        connection.request(method, where.path + path, content, headers)
        answer = connection.getresponse()
        said = answer.status, json.loads(answer.read() or b"null")
        connection.close()
        return said

    def path(self, name: str = "", kind: str = "secrets") -> str:
        group = "apis/coordination.k8s.io" if kind == "leases" else "api"
        return f"/{group}/v1/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def secret(self, name: str) -> dict[str, Any] | None:
        code, found = self.ask("GET", self.path(name))
        return found if code == 200 else None

    def value(self, name: str, field: str) -> str | None:
        data = (self.secret(name) or {}).get("data", {})
        return base64.b64decode(data[field]).decode() if field in data else None

    def write(self, name: str, data: dict[str, str | None], **more: Any) -> None:
        """As somebody who knows nothing of receipts; None takes a field out."""
        coded = {k: v if v is None else base64.b64encode(v.encode()).decode() for k, v in data.items()}
        body: dict[str, Any] = {"metadata": {"name": name}, "data": coded, **more}
        code, said = self.ask("PATCH", self.path(name), body, "application/merge-patch+json")
        if code == 404:
            code, said = self.ask("POST", self.path(), body)
        assert code in (200, 201), said

    def tidy(self) -> None:
        for kind in ("secrets", "leases"):
            for each in self.ask("GET", self.path(kind=kind))[1]["items"]:
                self.ask("DELETE", self.path(each["metadata"]["name"], kind))

    def kubeconfig(self, path: Path, server: str, token: str | None = None) -> Path:
        """A file that leads to `server` as us, or with another token."""
        user = {"token": self.token if token is None else token}
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server}}],
            "users": [{"name": "test", "user": user if user["token"] else {}}],
            "contexts": [
                {"name": "test", "context": {"cluster": "test", "user": "test", "namespace": self.namespace}}
            ],
        }
        path.write_text(yaml.safe_dump(whole), encoding="utf-8")
        return path


@dataclass
class Site:
    """A server, a relay before it, and our sink behind both."""

    server: Server
    relay: Relay
    home: Path
    options: dict[str, object] = field(default_factory=dict)
    fake: Kubernetes = field(default_factory=Kubernetes)

    def __post_init__(self) -> None:
        self.signs_in_with = self.server.token

    def sink(self, **options: object) -> Sink:
        path = self.server.kubeconfig(self.home / "kubeconfig", self.relay.url, self.signs_in_with)
        whole = {"field": "token", "kubeconfig": str(path), **self.options, **options}
        return sink_type("kubernetes").build(whole, Surroundings(self.home, {}, allow_http=False))

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.relay.asked if method != "GET"]


@dataclass
class Guarded(Relay):
    """Shows our certificate, which `tls` has, only where no token says who asks."""

    bare: ssl.SSLContext | None = None

    def passed_on(self, method: str, path: str, headers: Message, body: bytes) -> Passed:
        if "Authorization" in headers:
            return Relay(self.upstream, self.bare).passed_on(method, path, headers, body)
        return super().passed_on(method, path, headers, body)


@contextmanager
def fake_site(home: Path, **options: object) -> Iterator[Site]:
    with Kubernetes().served() as fake, Relay(fake.url).served() as relay:
        yield Site(Server(fake.url, NAMESPACE), relay, home, options, fake)


@contextmanager
def real_site(home: Path, **options: object) -> Iterator[Site]:
    """The server that the environment names, in a namespace of our own."""
    if REAL is None:
        pytest.skip(NO_REAL)
    server, bare = real_server(Path(REAL))
    namespaces, server.namespace = "/api/v1/namespaces", f"netbird-tokens-test-{uuid.uuid4().hex[:8]}"
    code, said = server.ask("POST", namespaces, {"metadata": {"name": server.namespace}})
    assert code == 201, said
    try:
        with Guarded(server.url, server.tls, bare=bare).served() as relay:
            yield Site(server, relay, home, options)
    finally:
        server.tidy()
        server.ask("DELETE", f"{namespaces}/{server.namespace}")


def real_server(kubeconfig: Path) -> tuple[Server, ssl.SSLContext]:
    """The server, and how to reach it as nobody."""
    around = Surroundings(kubeconfig.parent, dict(os.environ), allow_http=False)
    cluster = cluster_of({"kubeconfig": str(kubeconfig)}, around)
    credential = cluster.sign_in(None)
    request = PreparedRequest()
    request.prepare("GET", "https://x.example")
    signed = request if credential.auth is None else credential.auth(request)
    token = str(signed.headers.get("Authorization", "")).removeprefix("Bearer ")
    tls, bare = cluster.tls.context(), cluster.tls.context()
    if credential.certificate is not None:
        credential.certificate.load_into(tls)
    url = cluster.address.origin + cluster.address.path.rstrip("/")
    return Server(url, cluster.namespace, token, tls), bare
