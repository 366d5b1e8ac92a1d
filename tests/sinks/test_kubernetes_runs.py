"""The command with a cluster: what a consumer reads there, what a plan sends, and a lock in the same one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import REAL, Site, fake_site, real_site
from staging import SECRET, Stage

CONFIG = """\
sinks:
  operator: {{type: kubernetes, kubeconfig: {config}, secret: netbird-mgmt-api-key}}
lock: {{type: kubernetes, kubeconfig: {config}}}
"""


@pytest.fixture(params=["fake", "real"] if REAL else ["fake"])
def site(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[Site]:
    with (fake_site if request.param == "fake" else real_site)(tmp_path) as site:
        path = site.server.kubeconfig(tmp_path / "kubeconfig", site.relay.url)
        stage.config(CONFIG.format(config=path))
        stage.tokens_file("{name: operator, sinks: [{sink: operator, key: NB_API_KEY}]}")
        yield site


def consumed(site: Site) -> str | None:
    return site.server.value("netbird-mgmt-api-key", "NB_API_KEY")


def test_from_the_first_plan_to_the_last_removal(stage: Stage, site: Site) -> None:
    assert "operator:NB_API_KEY" in stage.run("plan").out
    assert site.writes == []
    ran = stage.run("apply", "--yes")
    assert ran.code == 0, ran
    first = consumed(site)
    assert first
    assert SECRET.fullmatch(first)
    site.server.write("netbird-mgmt-api-key", {"url": "https://netbird.example"})
    assert "Nothing to do" in stage.run("apply", "--yes").out
    assert stage.run("rotate", "operator", "--reason", "drill", "--yes").code == 0
    second = consumed(site)
    assert second
    assert SECRET.fullmatch(second)
    assert second != first
    stage.pass_time(days=10)
    assert stage.run("apply", "--yes").code == 0  # the first token has had its overlap
    stage.tokens_file("{name: operator, state: absent, reason: done}")
    assert stage.run("apply", "--yes").code == 0
    assert consumed(site) is None
    assert list((site.server.secret("netbird-mgmt-api-key") or {})["data"]) == ["url"]
    said = "".join(stage.said)
    assert first not in said
    assert second not in said


def test_doctor_proves_it_and_leaves_nothing_behind(stage: Stage, site: Site) -> None:
    ran = stage.run("doctor", "--show-config")
    assert ran.code == 0, ran
    assert "sink operator: can be read and written" in ran.out
    assert "lock: free" in ran.out
    assert site.server.secret("netbird-mgmt-api-key") is None
    assert site.server.token not in ran.out or not site.server.token


def test_a_cluster_that_cannot_be_read_is_no_empty_one(stage: Stage, site: Site) -> None:
    stage.run("apply", "--yes")
    first = consumed(site)
    site.server.kubeconfig(site.home / "kubeconfig", site.relay.url, token="expired")
    ran = stage.run("plan")
    assert ran.code == 1
    assert "401: Unauthorized" in ran.out + ran.err
    assert stage.run("apply", "--yes").code == 4  # the lock is in the same cluster
    assert consumed(site) == first
    assert len(stage.live()["operator"]) == 1


def test_a_validation_needs_no_kubeconfig(stage: Stage, site: Site) -> None:
    (site.home / "kubeconfig").unlink()
    assert stage.run("validate").code == 0
    ran = stage.run("plan")
    assert ran.code == 3
    assert "cannot be read: No such file" in ran.err
