"""The command with a Vault: what a consumer reads there, and what a plan sends."""

from __future__ import annotations

from collections.abc import Iterator

import hvac
import pytest
from fakes.relay import Relay, Trouble
from fakes.vault import ROOT, Role, Vault
from hvac.exceptions import InvalidPath
from staging import SECRET, Stage

CONFIG = """\
sinks:
  vault:
    type: vault
    address: {url}
    auth: {{method: jwt, role: netbird}}
"""


@pytest.fixture
def vault() -> Iterator[Vault]:
    role = Role({"role": "netbird", "jwt": "eyJ.x.y"}, {"*": {"root"}})
    with Vault(roles={("", "jwt"): role}).served() as vault:
        yield vault


@pytest.fixture
def relay(stage: Stage, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with Relay(vault.url).served() as relay:
        monkeypatch.setenv("VAULT_ID_TOKEN", "eyJ.x.y")
        stage.config(CONFIG.format(url=relay.url))
        yield relay


def consumed(relay: Relay, key: str) -> str:
    kv = hvac.Client(url=relay.upstream, token=ROOT).secrets.kv.v2
    read = kv.read_secret_version(path=f"netbird-tokens/{key}", raise_on_deleted_version=True)
    return str(read["data"]["data"]["token"])


def writes(relay: Relay) -> list[str]:
    return [path for method, path in relay.asked if method != "GET"]


def test_from_the_first_plan_to_the_last_removal(stage: Stage, relay: Relay) -> None:
    stage.tokens_file("{name: terraform, sinks: [vault]}")
    assert "vault:platform/terraform" in stage.run("plan").out
    assert writes(relay) == ["/v1/auth/jwt/login"]
    assert stage.run("apply", "--yes").code == 0
    first = consumed(relay, "platform/terraform")
    assert SECRET.fullmatch(first)
    relay.asked.clear()
    assert "Nothing to do" in stage.run("apply", "--yes").out
    assert writes(relay) == ["/v1/auth/jwt/login"]
    assert stage.run("rotate", "terraform", "--reason", "drill", "--yes").code == 0
    assert SECRET.fullmatch(consumed(relay, "platform/terraform"))
    assert consumed(relay, "platform/terraform") != first
    stage.pass_time(days=10)
    assert stage.run("apply", "--yes").code == 0  # the first token has had its overlap
    stage.tokens_file("{name: terraform, state: absent, reason: done}")
    assert stage.run("apply", "--yes").code == 0
    with pytest.raises(InvalidPath):
        consumed(relay, "platform/terraform")
    assert first not in "".join(stage.said)


def test_a_removal_that_the_store_refused_is_finished_by_the_next_run(
    stage: Stage, relay: Relay, vault: Vault
) -> None:
    held = vault.mounts["", "secret"]
    stage.tokens_file("{name: terraform, sinks: [vault]}")
    assert stage.run("apply", "--yes").code == 0
    (key,) = (key for key in held.keys if key.endswith("terraform"))
    data = {**(held.keys[key].versions[1].data or {}), "url": "x"}
    held.handle("update", f"data/{key}", {}, {"data": data})  # somebody keeps a field beside ours
    stage.tokens_file("{name: terraform, state: absent, reason: done}")
    stage.pass_time(days=1)
    denied = Trouble("POST", "/destroy/", (403, b'{"errors": ["permission denied"]}'))
    with relay.troubled(denied):
        ran = stage.run("apply", "--yes")
    assert ran.code == 9, ran
    assert "still holds its secret" in " ".join(ran.out.split())
    assert stage.run("apply", "--yes").code == 0
    assert not [v for v in held.keys[key].versions.values() if "token" in (v.data or {})]
    assert held.keys[key].versions[held.keys[key].current].data == {"url": "x"}


def test_doctor_proves_it_and_leaves_nothing_behind(stage: Stage, relay: Relay) -> None:
    stage.tokens_file("{name: terraform, sinks: [vault]}")
    ran = stage.run("doctor")
    assert ran.code == 0, ran
    assert "sink vault: can be read and written" in ran.out
    with pytest.raises(InvalidPath):
        hvac.Client(url=relay.upstream, token=ROOT).secrets.kv.v2.list_secrets(path="")
