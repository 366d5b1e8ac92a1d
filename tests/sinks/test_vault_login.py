"""Signing in to Vault, and what the environment says where the config is silent."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import hvac
import pytest
from fakes.relay import Relay, Trouble
from fakes.serving import Request, Said, serving
from fakes.vault import ROOT, Role, Vault

from reconciler.core.ports import Sink
from reconciler.core.receipts import ABSENT, Absent
from reconciler.errors import SinkRefused, SinkUnread, UsageError
from reconciler.sinks import sink_type
from reconciler.sinks.vault.login import Session
from reconciler.surroundings import Surroundings
from reconciler.testing import receipt, secret

ALL = {"*": {"root"}}
DEFAULTS = {
    "mount": "secret",
    "path": "netbird-tokens",
    "value_field": "token",
    "receipt_field": "netbird-tokens",
    "old_versions": "destroy",
}
JOB = {"role": "netbird", "jwt": "eyJ.of-a-job.x"}
POD = {"role": "netbird", "jwt": "eyJ.of-a-pod.x"}


@dataclass
class Door:
    vault: Vault
    relay: Relay
    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def sink(self, **options: object) -> Sink:
        whole = {**DEFAULTS, "address": self.relay.url, **options}
        around = Surroundings(self.home, self.env, allow_http=False)
        return sink_type("vault").build(whole, around)

    @property
    def logins(self) -> list[str]:
        return [path for _, path in self.relay.asked if path.startswith("/v1/auth/")]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    roles = {
        ("", "approle"): Role({"role_id": "r", "secret_id": "s3cret"}, ALL, uses=1),
        ("", "gitlab"): Role(JOB, ALL),
        ("", "kubernetes"): Role(POD, ALL),
    }
    with Vault(roles=roles).served() as vault, Relay(vault.url).served() as relay:
        yield Door(vault, relay, tmp_path)


def works(sink: Sink) -> bool:
    sink.put("a/b", secret(1), receipt(1), ABSENT)
    return set(sink.inventory([]).entries) == {"a/b"}


@pytest.mark.parametrize("name", ["VAULT_TOKEN", "BAO_TOKEN", "MY_TOKEN"])
def test_a_token_from_the_environment(door: Door, name: str) -> None:
    door.env = {name: f"{ROOT}\n"}
    auth = {"method": "token", "env": name} if name == "MY_TOKEN" else {"method": "token"}
    assert works(door.sink(auth=auth))
    assert door.logins == []


def test_a_token_from_a_file_and_only_if_the_config_says_so(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(door.home))
    (door.home / ".vault-token").write_text(f"{ROOT}\n", encoding="utf-8")
    door.env = {"VAULT_TOKEN": "not this one"}
    assert works(door.sink(auth={"method": "token", "file": "~/.vault-token"}))
    assert works(door.sink(auth={"method": "token", "file": ".vault-token"}))
    door.env = {}
    with pytest.raises(SinkUnread, match="VAULT_TOKEN and BAO_TOKEN not set"):
        door.sink().inventory([])


def test_an_approle_signs_in_once_however_many_ask(door: Door) -> None:
    door.env = {"VAULT_SECRET_ID": "s3cret"}
    sink = door.sink(auth={"method": "approle", "role_id": "r"})
    assert door.logins == []
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(sink.read, ["k"] * 16))
    assert found == [Absent()] * 16
    assert works(sink)
    assert door.logins == ["/v1/auth/approle/login"]


def test_a_job_signs_in_with_its_identity_token(door: Door) -> None:
    door.env = {"VAULT_ID_TOKEN": JOB["jwt"], "OTHER": JOB["jwt"]}
    auth = {"method": "jwt", "mount": "gitlab", "role": "netbird"}
    assert works(door.sink(auth=auth))
    assert works(door.sink(auth={**auth, "env": "OTHER"}))


@pytest.mark.parametrize("name", ["VAULT_SECRET_ID", "BAO_SECRET_ID"])
def test_a_secret_id_stands_in_a_variable_of_either_server(door: Door, name: str) -> None:
    door.env = {name: "s3cret"}
    assert works(door.sink(auth={"method": "approle", "role_id": "r"}))


@dataclass
class GitHubJob:
    """What serves identity tokens to a job; the request token is good for it alone."""

    requests: list[Request] = field(default_factory=list)
    said: Said | None = None

    def handle(self, request: Request) -> Said:
        self.requests.append(request)
        if request.headers.get("Authorization") != "Bearer r3quest":
            return Said(401, {"message": "unauthorized"})
        audience = request.query.get("audience", "https://github.com/acme")
        return self.said or Said(200, {"count": 1, "value": f"eyJ.for.{audience}"})


@pytest.fixture
def github(door: Door) -> Iterator[GitHubJob]:
    job = GitHubJob()
    with serving(job.handle) as url:
        door.env = {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/idtoken/x?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "r3quest",
        }
        for audience in ("https://github.com/acme", "https://vault.example:8200"):
            name = "jwt" if "github" in audience else "actions"
            jwt = {"role": "netbird", "jwt": f"eyJ.for.{audience}"}
            door.vault.roles["", name] = Role(jwt, ALL)
        yield job


ACTIONS = {"method": "jwt", "role": "netbird"}


def test_a_job_of_github_fetches_its_identity_token(door: Door, github: GitHubJob) -> None:
    assert works(door.sink(auth=ACTIONS))
    audience = "https://vault.example:8200"
    assert works(door.sink(auth={**ACTIONS, "mount": "actions", "audience": audience}))
    assert [each.query for each in github.requests] == [
        {"api-version": "2.0"},
        {"api-version": "2.0", "audience": audience},
    ]
    assert {each.path for each in github.requests} == {"/idtoken/x"}


def test_a_variable_that_is_set_goes_before_what_could_be_fetched(
    door: Door, github: GitHubJob
) -> None:
    door.env["VAULT_ID_TOKEN"] = JOB["jwt"]
    assert works(door.sink(auth={**ACTIONS, "mount": "gitlab"}))
    assert works(door.sink(auth={**ACTIONS, "env": "NOT_SET"}))
    assert len(github.requests) == 1


def test_what_fetches_an_identity_token_goes_to_no_other_host(
    door: Door, github: GitHubJob
) -> None:
    github.said = Said(302, None, {"Location": f"{door.relay.url}/v1/auth/stolen"})
    with pytest.raises(SinkUnread, match="it answered 302"):
        door.sink(auth=ACTIONS).inventory([])
    door.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = "http://tokens.example/idtoken"
    with pytest.raises(SinkUnread, match=r"would send the credential to tokens\.example unencrypted"):
        door.sink(auth=ACTIONS).inventory([])
    assert door.relay.asked == []


@pytest.mark.parametrize(
    "said", [Said(404, {}), Said(200, {"value": ""}), Said(403, {"message": "no"}), Said(200)]
)
def test_a_job_that_gets_no_identity_token_is_told_the_way_out(
    door: Door, github: GitHubJob, said: Said
) -> None:
    github.said = said
    with pytest.raises(SinkUnread, match="cannot read a token of GitHub Actions") as unread:
        door.sink(auth=ACTIONS).inventory([])
    assert "r3quest" not in f"{unread.value!r} {unread.value.hint}"
    door.env.pop("ACTIONS_ID_TOKEN_REQUEST_URL")
    with pytest.raises(SinkUnread, match="gives this job no identity token") as unread:
        door.sink(auth=ACTIONS).inventory([])
    assert "id-token: write" in unread.value.hint


@pytest.mark.parametrize("method", ["jwt", "kubernetes", "approle"])
def test_a_token_that_ends_within_a_run_is_replaced_unless_by_a_secret_id(
    door: Door, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    clock = [0.0]
    again = partial(Session, clock=lambda: clock[0])
    monkeypatch.setattr("reconciler.sinks.vault.Session", again)
    (door.home / "token").write_text(POD["jwt"], encoding="utf-8")
    door.env = {"VAULT_SECRET_ID": "s3cret", "VAULT_ID_TOKEN": JOB["jwt"]}
    door.vault.roles["", "jwt"] = Role(JOB, ALL)
    for role in door.vault.roles.values():
        role.lease = 100
    sink = door.sink(
        auth={
            "method": method,
            **({"role_id": "r"} if method == "approle" else {"role": "netbird"}),
            **({"file": "token"} if method == "kubernetes" else {}),
        }
    )
    for moment in (0.0, 80.0):
        clock[0] = moment
        assert isinstance(sink.read("k"), Absent)
    assert len(door.logins) == 1
    clock[0] = 100.0
    door.vault.tokens.clear()
    if method == "approle":
        with pytest.raises(SinkUnread, match="permission denied"):
            sink.read("k")
        assert len(door.logins) == 1
    else:
        assert isinstance(sink.read("k"), Absent)
        assert len(door.logins) == 2


def test_a_pod_signs_in_with_its_service_account(door: Door) -> None:
    (door.home / "token").write_text(POD["jwt"], encoding="utf-8")
    assert works(door.sink(auth={"method": "kubernetes", "role": "netbird", "file": "token"}))
    with pytest.raises(SinkUnread, match=r"/var/run/secrets/kubernetes\.io/serviceaccount/token"):
        door.sink(auth={"method": "kubernetes", "role": "netbird"}).read("k")


def test_the_token_of_a_login_belongs_to_its_namespace(door: Door) -> None:
    door.vault.mounts["team/a", "secret"] = door.vault.mounts["", "secret"]
    door.vault.roles["team/a", "jwt"] = Role(JOB, ALL)
    door.env = {"VAULT_ID_TOKEN": JOB["jwt"], "BAO_NAMESPACE": "team/a"}
    assert works(door.sink(auth={"method": "jwt", "role": "netbird"}))


def test_a_login_that_failed_is_not_tried_again(door: Door) -> None:
    door.env = {"VAULT_SECRET_ID": "wr0ng"}
    sink = door.sink(auth={"method": "approle", "role_id": "r"})
    with pytest.raises(SinkUnread, match="invalid role or secret ID") as unread:
        sink.inventory(["k"])
    for act in (sink.preflight, lambda key: sink.put(key, secret(1), receipt(1), ABSENT)):
        with pytest.raises(SinkRefused) as refused:
            act("k")
        assert refused.value.message == unread.value.message
    assert door.logins == ["/v1/auth/approle/login"]
    assert "wr0ng" not in f"{unread.value!r} {unread.value.hint} {sink!r}"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("drop", "closed"),
        ((200, b"<html>please sign in</html>"), "it answered 200"),
        ((200, b'{"auth": null}'), "it answered 200"),
        (
            (200, b'{"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "x"}}}'),
            "second factor",
        ),
    ],
)
def test_a_login_that_gives_no_token(
    door: Door, answer: tuple[int, bytes] | str, told: str
) -> None:
    door.env = {"VAULT_SECRET_ID": "s3cret"}
    sink = door.sink(auth={"method": "approle", "role_id": "r"})
    trouble = Trouble("POST", "/login", answer)  # type: ignore[arg-type]  # as in the table
    with door.relay.troubled(trouble), pytest.raises(SinkUnread, match=told):
        sink.inventory([])


@pytest.mark.parametrize("content", [b"", b" \n", b"x" * 70_000])
def test_a_file_that_holds_no_credential_is_not_sent(door: Door, content: bytes) -> None:
    (door.home / "token").write_bytes(content)
    with pytest.raises(SinkRefused, match="holds no credential"):
        door.sink(auth={"method": "token", "file": "token"}).preflight("k")
    assert door.relay.asked == []


def test_where_the_config_is_silent_the_environment_speaks(door: Door) -> None:
    door.env = {"VAULT_TOKEN": ROOT, "BAO_ADDR": "http://127.0.0.1:9", "VAULT_ADDR": door.relay.url}
    assert works(door.sink(address=None))
    door.env.pop("VAULT_ADDR")
    assert works(door.sink())
    door.env["BAO_ADDR"] = f"{door.relay.url}/"
    assert works(door.sink(address=None))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"address": None}, "a vault sink has no address"),
        ({"address": "http://vault.example"}, "would send the credential to vault.example"),
        ({"address": "https://me:pw@vault.example"}, "holds a user name"),
        ({"receipt_field": "token"}, "one field for both"),
        ({"ca_cert": "no-such.pem"}, "there are no certificates at"),
        ({"auth": {"method": "token", "env": "A", "file": "b"}}, "both a variable and a file"),
    ],
)
def test_what_a_config_cannot_mean(door: Door, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)) as refused:
        door.sink(**options)
    assert refused.value.hint


@pytest.mark.parametrize("variable", ["VAULT_CACERT", "BAO_CACERT", "ca_cert"])
def test_a_private_ca_is_trusted_and_no_other(tmp_path: Path, variable: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl makes the certificate of this test")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", key, "-out", cert,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with Vault().served(context) as vault:
        options: dict[str, object] = {**DEFAULTS, "address": vault.url}
        env = {"VAULT_TOKEN": ROOT}
        with pytest.raises(SinkUnread, match="certificate"):
            sink_type("vault").build(options, Surroundings(tmp_path, env, allow_http=False)).read("k")
        if variable == "ca_cert":
            options["ca_cert"] = "cert.pem"
        else:
            env[variable] = str(cert)
        assert works(sink_type("vault").build(options, Surroundings(tmp_path, env, allow_http=False)))


def test_another_client_signs_in_to_the_fake(door: Door) -> None:
    client = hvac.Client(url=door.vault.url)
    answer = client.auth.approle.login(role_id="r", secret_id="s3cret", use_token=True)
    assert client.token == answer["auth"]["client_token"]
    assert client.is_authenticated()
    assert client.auth.jwt.jwt_login(path="gitlab", **JOB)["auth"]["client_token"]
