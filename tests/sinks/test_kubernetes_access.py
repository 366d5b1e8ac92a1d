"""Which cluster, and as whom: kubeconfig files, certificates, credential plugins, the account of a pod."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes.kubernetes import ALL, NAMESPACE, ROOT, Kubernetes

from reconciler.core.ports import Sink
from reconciler.core.receipts import ABSENT, Absent
from reconciler.core.secret import Secret
from reconciler.errors import SinkError, SinkRefused, SinkUnread, UsageError
from reconciler.http import Certificate, Tls
from reconciler.http.retry import Pace
from reconciler.kubernetes import cluster_of
from reconciler.sinks import sink_type
from reconciler.sinks.rest import Rest
from reconciler.surroundings import Surroundings
from reconciler.testing import put, receipt, secret


@dataclass
class Papers:
    """A server's certificate, which is its own authority, and one of a client; keys beside them."""

    folder: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @property
    def tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        context.load_verify_locations(self.client)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    server = certificate(folder, "server", "IP:127.0.0.1,DNS:api.internal")
    return Papers(folder, *server, *certificate(folder, "certified", "DNS:client"))


def certificate(folder: Path, name: str, names: str) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl makes the certificates of these tests")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
            "-keyout", key, "-out", cert,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@dataclass
class Gate:
    """A server with TLS, and a folder for kubeconfigs and plugins."""

    fake: Kubernetes
    papers: Papers
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def kubeconfig(self, name: str = "config", **changes: Any) -> Path:
        """One context `test`; `cluster` and `user` are put over what would work."""
        ca = base64.b64encode(self.papers.server.read_bytes()).decode()
        cluster = {"server": self.fake.url, "certificate-authority-data": ca, **changes.get("cluster", {})}
        user = changes.get("user", {"token": ROOT})
        whole = {
            "current-context": "test",
            "clusters": [{"name": "c", "cluster": {k: v for k, v in cluster.items() if v is not None}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
            **changes.get("whole", {}),
        }
        path = self.home / name
        path.write_text(yaml.safe_dump(whole), encoding="utf-8")
        return path

    def sink(self, **options: object) -> Sink:
        whole = {"field": "token", **options}
        return sink_type("kubernetes").build(whole, Surroundings(self.home, self.env, allow_http=False))

    def with_config(self, **changes: Any) -> Sink:
        return self.sink(kubeconfig=str(self.kubeconfig(**changes)))

    def plugin(self, body: str, **more: object) -> dict[str, object]:
        """A user whose plugin runs this Python; it counts its runs."""
        script = self.home / "plugin.py"
        count = "open('runs', 'a').write('x')\n"
        head = f"import json, os, sys\nos.chdir({str(self.home)!r})\n{count}"
        say = (
            "def say(**status):\n"
            "    info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
            "    print(json.dumps({**info, 'status': status}))\n"
        )
        script.write_text(head + say + body, encoding="utf-8")
        spec = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "IfAvailable",
        }
        return {"exec": {**spec, **more}}

    @property
    def runs(self) -> int:
        path = self.home / "runs"
        return len(path.read_text()) if path.exists() else 0


@pytest.fixture
def gate(tmp_path: Path, papers: Papers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    quick = partial(Rest, pace=Pace(sleep=lambda _seconds: None))
    monkeypatch.setattr("reconciler.sinks.kubernetes.Rest", quick)
    fake = Kubernetes()
    fake.users["-"] = ("certified", ALL)
    with fake.served(papers.tls):
        yield Gate(fake, papers, tmp_path, {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})


def works(sink: Sink) -> None:
    sink.preflight("a")
    put(sink, "a", 1)
    assert sink.inventory([]).entries.keys() == {"a"}


def coded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_a_certificate_says_who_we_are(gate: Gate) -> None:
    papers = gate.papers
    files = {"client-certificate": str(papers.client), "client-key": str(papers.client_key)}
    works(gate.with_config(user=files))
    inline = {
        "client-certificate-data": coded(papers.client),
        "client-key-data": coded(papers.client_key),
    }
    works(gate.with_config(user=inline))
    with pytest.raises(SinkUnread, match="401: Unauthorized"):
        gate.with_config(user={}).inventory([])


def test_a_key_lies_in_no_file_and_in_no_repr(gate: Gate) -> None:
    key = gate.papers.client_key.read_text()
    pair = Certificate(gate.papers.client.read_text(), Secret(key))
    pair.load_into(ssl.create_default_context())
    middle = key.splitlines()[1]
    assert middle not in f"{pair!r} {vars(pair)!r} {Tls(certificate=pair)!r}"
    sink = gate.with_config(user={"client-certificate-data": coded(gate.papers.client),
                                  "client-key-data": coded(gate.papers.client_key)})  # fmt: skip
    assert middle not in f"{sink!r}"


@pytest.mark.parametrize("fault", ["another's key", "no PEM", "encrypted", "endless"])
def test_a_certificate_that_cannot_be_used_is_told_and_nothing_of_it(gate: Gate, fault: str) -> None:
    papers = gate.papers
    key = papers.server_key.read_text() if fault == "another's key" else "c2VjcmV0"
    if fault == "encrypted":
        key = subprocess.run(
            ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", papers.client_key],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    if fault == "endless":
        key = "x" * 200_000
    user = {"client-certificate-data": coded(papers.client),
            "client-key-data": base64.b64encode(key.encode()).decode()}  # fmt: skip
    with pytest.raises(UsageError, match="the client certificate and its key cannot be used") as refused:
        gate.with_config(user=user).inventory([])
    assert key[:9] not in refused.value.message + refused.value.hint
    assert refused.value.__cause__ is None


def test_only_the_authority_of_the_kubeconfig_is_trusted(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    works(gate.with_config(cluster={"certificate-authority": str(gate.papers.server),
                                    "certificate-authority-data": None}))  # fmt: skip
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(gate.papers.server))
    works(gate.with_config(cluster={"certificate-authority-data": None}))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(gate.papers.server))
    other = gate.with_config(cluster={"certificate-authority-data": coded(gate.papers.client)})
    with pytest.raises(SinkUnread, match="certificate"):
        other.inventory([])
    with pytest.raises(SinkRefused, match="certificate"):
        other.put("a", secret(1), receipt(1), ABSENT)
    with pytest.raises(UsageError, match="certificates to trust cannot be read"):
        gate.with_config(cluster={"certificate-authority-data": "eHh4"}).inventory([])


def test_a_server_may_have_another_name_than_its_address(gate: Gate) -> None:
    works(gate.with_config(cluster={"tls-server-name": "api.internal"}))
    with pytest.raises(SinkUnread, match="certificate"):
        gate.with_config(cluster={"tls-server-name": "api.elsewhere"}).inventory([])


def test_a_token_in_a_file_is_read_each_time(gate: Gate) -> None:
    (gate.home / "token").write_text(f"{ROOT}\n")
    sink = gate.with_config(user={"tokenFile": "token", "token": "outdated"})
    works(sink)
    gate.fake.users = {"renewed": ("root", ALL)}
    with pytest.raises(SinkUnread, match="401"):
        sink.inventory([])
    (gate.home / "token").write_text("renewed")
    put(sink, "a", 2)
    (gate.home / "token").write_text("")
    with pytest.raises(SinkUnread, match=r"the token file .* is empty"):
        sink.inventory([])
    (gate.home / "token").unlink()
    with pytest.raises(SinkRefused, match=r"the token file .* cannot be read: No such file"):
        sink.preflight("a")


def pod(gate: Gate, folder: str = "account", token: str = ROOT) -> Path:
    account = gate.home / folder
    account.mkdir()
    (account / "token").write_text(token)
    (account / "namespace").write_text(f"{NAMESPACE}\n")
    (account / "ca.crt").write_bytes(gate.papers.server.read_bytes())
    gate.env |= {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": gate.fake.url.rpartition(":")[2],
    }
    return account


def test_a_pod_uses_its_service_account_and_sees_its_token_rotate(gate: Gate) -> None:
    account = pod(gate)
    sink = gate.sink(service_account="account")
    works(sink)
    assert (NAMESPACE, "a") in gate.fake.secrets.objects
    gate.fake.users = {"rotated": ("root", ALL)}
    (account / "token").write_text("rotated")
    put(sink, "a", 2)
    assert isinstance(gate.sink(service_account="account", namespace="default").read("a"), Absent)


def test_without_a_kubeconfig_a_pod_is_where_we_are(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.kubernetes.access._POD", str(pod(gate)))
    works(gate.sink())
    (gate.home / ".kube").mkdir()
    gate.kubeconfig(".kube/config", user={"token": "another"})
    with pytest.raises(SinkUnread, match="401"):  # a kubeconfig comes first, as with kubectl
        gate.sink().inventory([])


def test_a_pod_without_an_account_is_told(gate: Gate) -> None:
    (pod(gate) / "ca.crt").unlink()
    with pytest.raises(UsageError, match=r"the service account of this pod has no .*ca\.crt"):
        gate.sink(service_account="account")
    gate.env = {}
    with pytest.raises(UsageError, match="there is no kubeconfig, and this is no pod"):
        gate.sink(service_account="account")


def test_an_address_of_a_pod_may_be_ipv6(gate: Gate) -> None:
    account = pod(gate)
    gate.env["KUBERNETES_SERVICE_HOST"] = "fd00::1"
    around = Surroundings(gate.home, gate.env, allow_http=False)
    cluster = cluster_of({"service_account": str(account)}, around)
    assert cluster.address.origin == f"https://[fd00::1]:{gate.env['KUBERNETES_SERVICE_PORT']}"


def test_several_kubeconfigs_are_one(gate: Gate) -> None:
    first = gate.kubeconfig("first", whole={"current-context": "", "users": [{"name": "u", "user": {}}]})
    second = gate.kubeconfig("second", whole={"contexts": [
        {"name": "test", "context": {"cluster": "wrong"}},
        {"name": "admin", "context": {"cluster": "c", "user": "admin"}},
    ], "users": [{"name": "admin", "user": {"token": ROOT}}]})  # fmt: skip
    gate.env["KUBECONFIG"] = f"{gate.home / 'none'}:{first}:{second}"
    with pytest.raises(SinkUnread, match="401"):  # the first file has the user `u`, and no token for it
        gate.sink().inventory([])
    gate.sink(context="admin").inventory([])
    around = Surroundings(gate.home, gate.env, allow_http=False)
    assert cluster_of({"context": "admin"}, around).namespace == "default"
    assert cluster_of({}, around).namespace == NAMESPACE


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cluster": {"insecure-skip-tls-verify": True}}, "no server that nobody vouches for"),
        ({"cluster": {"proxy-url": "http://proxy"}}, "set HTTPS_PROXY"),
        ({"cluster": {"server": "http://api.example"}}, "unencrypted"),
        ({"cluster": {"server": "https://me:pw@api.example"}}, "a user name or password"),
        ({"cluster": {"server": None}}, "does not begin with https://"),
        ({"cluster": {"certificate-authority-data": "?"}}, "it is not base64 of a text"),
        ({"cluster": {"certificate-authority-data": None, "certificate-authority": "none"}}, "No such file"),
        ({"user": {"token": ROOT, "as": "admin"}}, "`as`, which netbird-tokens does not do"),
        ({"user": {"username": "me", "password": "pw"}}, "which Kubernetes gave up"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "which Kubernetes gave up"),
        ({"user": {"token": ROOT, "client-certificate-data": "QQ=="}}, "and not the other"),
        ({"user": {"client-key-data": "QQ=="}}, "and not the other"),
        ({"user": {"token": 7}}, "`token` of the user 'u' in the kubeconfig is no text"),
        ({"user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1"}}}, "speaks"),
        ({"user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}}, "names no command"),
        ({"whole": {"current-context": None}}, "no current context"),
        ({"whole": {"current-context": "x"}}, "no kubeconfig has the context 'x'"),
        ({"whole": {"clusters": []}}, "no kubeconfig has the cluster 'c'"),
        ({"whole": {"users": "u"}}, "no kubeconfig has the user 'u'"),
    ],
)
def test_what_a_kubeconfig_asks_for_and_we_do_not_do_is_refused(
    gate: Gate, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        gate.with_config(**changes)
    assert told in refused.value.message
    assert refused.value.hint
    assert "pw" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("text", ["[", "a: {b: s3cret\n  c", "7", "", "!!python/object:os.system {}", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_told_and_not_quoted(gate: Gate, text: str) -> None:
    (gate.home / "broken").write_text(text)
    with pytest.raises(UsageError, match="broken is no kubeconfig") as refused:
        gate.sink(kubeconfig="broken")
    assert "s3cret" not in f"{refused.value} {refused.value.hint} {refused.value.__context__}"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        gate.sink(kubeconfig="nowhere")


def test_a_plugin_gives_a_token_that_is_kept(gate: Gate) -> None:
    late = "expirationTimestamp='2999-01-01T00:00:00Z'"
    sink = gate.with_config(user=gate.plugin(f"say(token={ROOT!r}, {late})"))
    works(sink)
    works(sink)
    assert gate.runs == 1


def test_a_plugin_is_asked_again_when_its_token_ends_or_is_refused(gate: Gate) -> None:
    ended = gate.plugin(f"say(token={ROOT!r}, expirationTimestamp='2020-01-01T00:00:00Z')")
    gate.with_config(user=ended).read("a")
    sink = gate.with_config(user=ended)
    sink.read("a")
    sink.read("a")
    assert gate.runs == 3
    gate.fake.users = {"xx": ("root", ALL)}  # as many letters as the plugin has run since
    (gate.home / "runs").unlink()
    sink = gate.with_config(user=gate.plugin("say(token=open('runs').read())"))
    put(sink, "a", 1)  # refused with `x`, let in with `xx`
    assert gate.runs == 2
    gate.fake.users = {"xxxx": ("root", ALL)}
    with ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(lambda: attempt(lambda: sink.read("a"))) for _ in range(4)]
    assert sum(each.result() is None for each in outcomes) < 4
    assert gate.runs <= 2 + 4


def attempt(act: Callable[[], object]) -> SinkError | None:
    try:
        act()
    except SinkError as error:
        return error
    return None


def test_a_plugin_may_give_a_certificate(gate: Gate) -> None:
    pair = {"clientCertificateData": gate.papers.client.read_text(),
            "clientKeyData": gate.papers.client_key.read_text()}  # fmt: skip
    works(gate.with_config(user=gate.plugin(f"say(**{pair!r})")))


def test_a_plugin_sees_what_it_is_meant_to_see(gate: Gate) -> None:
    gate.env |= {"NB_PAT": "nbp_ours", "AWS_PROFILE": "ci", "OTHER": "x"}
    seen = "json.dump(dict(os.environ), open('seen', 'w'))\n"
    user = gate.plugin(
        seen + f"say(token={ROOT!r})", provideClusterInfo=True, env=[{"name": "REGION", "value": "eu"}]
    )
    gate.sink(kubeconfig=str(gate.kubeconfig(user=user)), exec_env=["AWS_PROFILE"]).read("a")
    found = json.loads((gate.home / "seen").read_text())
    info = json.loads(found.pop("KUBERNETES_EXEC_INFO"))
    found.pop("LC_CTYPE", None)  # Python's own
    assert found == {"HOME": str(gate.home), "PATH": "/usr/bin:/bin", "AWS_PROFILE": "ci", "REGION": "eu"}
    assert info["spec"]["interactive"] is False
    assert info["spec"]["cluster"]["server"] == gate.fake.url
    assert base64.b64decode(info["spec"]["cluster"]["certificate-authority-data"]) == (
        gate.papers.server.read_bytes()
    )


def test_a_plugin_with_a_slash_counts_from_the_folder_of_its_kubeconfig(gate: Gate) -> None:
    script = gate.home / "get-token"
    status = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1",
              "status": {"token": ROOT}}  # fmt: skip
    script.write_text(f"#!/bin/sh\necho '{json.dumps(status)}'\n")
    script.chmod(0o700)
    spec = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./get-token"}
    works(gate.with_config(user={"exec": spec}))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("print('s3cret'); sys.exit(3)", "failed with exit code 3"),
        ("print('s3cret', file=sys.stderr); sys.exit(1)", "failed with exit code 1"),
        ("print('s3cret')", "printed no ExecCredential of its version"),
        ("print('[' * 100000)", "printed no ExecCredential of its version"),
        ("print(json.dumps({'kind': 'ExecCredential', 'apiVersion': 'x', 'status': {}}))", "of its version"),
        ("say()", "neither a token nor a certificate"),
        ("say(token=7, clientKeyData='s3cret')", "neither a token nor a certificate"),
        ("say(token='s3cret', expirationTimestamp='soon')", "an end that is no time"),
        ("import time; time.sleep(60)", "took longer than"),
    ],
)
def test_a_plugin_that_fails_is_told_once_and_what_it_printed_is_not(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, body: str, told: str
) -> None:
    caplog.set_level(0)
    if "sleep" in body:
        monkeypatch.setattr("reconciler.kubernetes.plugin.TIMEOUT", 0.3)
    sink = gate.with_config(user=gate.plugin(body))
    with pytest.raises(SinkUnread, match=told) as unread:
        sink.inventory([])
    assert "kubectl auth can-i" in unread.value.hint
    with pytest.raises(SinkRefused, match=told):
        sink.preflight("a")
    assert gate.runs == 1
    assert "s3cret" not in f"{unread.value} {unread.value.__context__} {caplog.text} {sink!r}"


def test_a_plugin_that_is_not_installed_is_told(gate: Gate) -> None:
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
    with pytest.raises(SinkUnread, match="the plugin no-such-plugin cannot be run"):
        gate.with_config(user={"exec": spec}).inventory([])
    asking = gate.plugin("say()", interactiveMode="Always")
    with pytest.raises(UsageError, match="wants to ask somebody"):
        gate.with_config(user=asking)
    with pytest.raises(UsageError, match="an `env` without names and values"):
        gate.with_config(user=gate.plugin("say()", env=["A=b"]))


def test_a_token_that_no_header_may_hold_is_not_sent(gate: Gate) -> None:
    with pytest.raises(UsageError, match="characters that cannot be sent") as refused:
        gate.with_config(user={"token": "s3cret\nx"}).inventory([])
    assert "s3cret" not in refused.value.message


def test_two_sinks_of_one_namespace_are_one_store(gate: Gate) -> None:
    around = Surroundings(gate.home, gate.env, allow_http=False)
    store = sink_type("kubernetes").store
    gate.env["KUBECONFIG"] = str(gate.kubeconfig())
    whole = store({"field": "token"}, around)
    assert store({"kubeconfig": "config", "field": "x"}, around) == whole
    assert store({"secret": "s", "field": "token"}, around)[: len(whole)] == whole
    assert store({"namespace": "other", "field": "token"}, around) != whole
    gate.env.clear()
    assert store({"namespace": "other", "field": "token"}, around)[-1] == "other"
