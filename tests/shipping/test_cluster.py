"""The manifests at work: volumes as the kubelet lays them out, the rights of their roles and no others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fakes.kubernetes import Kubernetes, Rules
from staging import Ran, Stage
from test_copied_files import CLUSTER, EXAMPLES, JOBS, of_kind

NAMESPACES = {each["metadata"]["name"] for each in of_kind("Namespace")}


def volume(folder: Path, files: dict[str, str], mode: int) -> Path:
    """A ConfigMap or a Secret: links to ..data, which links to the newest version."""
    version = folder / "..2026_11_25_05_17_00.123456789"
    version.mkdir(parents=True)
    (folder / "..data").symlink_to(version.name)
    for name, text in files.items():
        (version / name).write_text(text, "utf-8")
        (version / name).chmod(mode)
        (folder / name).symlink_to(f"..data/{name}")
    return folder


class Pod:
    """The container of a job: its arguments, its volumes, and what its account may do."""

    def __init__(self, stage: Stage, cluster: Kubernetes) -> None:
        rules: Rules = [rule for role in of_kind("Role") for rule in role["rules"]]
        cluster.users["pod"] = ("pod", rules)
        cluster.namespaces |= NAMESPACES
        self.stage = stage
        (files,) = of_kind("ConfigMap")
        self.mounts = {
            "/etc/netbird-tokens": volume(stage.folder / "files", files["data"], 0o644),
            # of mode 0400 and with an fsGroup: the kubelet lets the group read it, too
            "/run/credential": volume(
                stage.folder / "credential", {"nb_pat": stage.credential}, 0o440
            ),
        }

    def run(self, job: str, *instead: str) -> Ran:
        (container,) = JOBS[job]["template"]["spec"]["containers"]
        assert {each["mountPath"] for each in container["volumeMounts"]} >= set(self.mounts)
        words = [*instead, *container["args"][len(instead) :]]
        for there, here in self.mounts.items():
            words = [word.replace(there, str(here)) for word in words]
        return self.stage.run(*words)


def test_what_runs_in_the_cluster_has_all_it_needs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.emulator.add_user("cluster-bot", role="user", service_user=True)
    with Kubernetes().served() as cluster:
        pod = Pod(stage, cluster)
        config = cluster.kubeconfig(stage.folder / "kubeconfig", token="pod")
        monkeypatch.setenv("KUBECONFIG", str(config))
        monkeypatch.delenv("NB_PAT")
        made = pod.run("renew", "apply")
        assert (made.code, "3 done" in made.out) == (0, True), made.out + made.err
        stage.pass_time(days=80)
        renewed = pod.run("renew")
        assert (renewed.code, "2 done" in renewed.out) == (0, True), renewed.out + renewed.err
        assert pod.run("renew").code == 0  # the lock was given back
        assert pod.run("drift").code == 0
    assert not any(stage.credential in said for said in stage.said)


def test_a_plan_for_parts_is_where_a_plan_of_thousands_fits() -> None:
    """A ConfigMap takes 1 MiB; and what is suspended waits for a look at the plan."""
    assert JOBS["apply-in-parts"]["suspend"] is True
    for name in ("plan", "apply-in-parts"):
        (mounted,) = [v for v in JOBS[name]["template"]["spec"]["volumes"] if v["name"] == "plan"]
        claim = mounted["persistentVolumeClaim"]["claimName"]
        assert claim in [each["metadata"]["name"] for each in of_kind("PersistentVolumeClaim")]


class Discovery(BaseHTTPRequestHandler):
    """What kubectl asks before it reads a manifest: the kinds that there are."""

    kinds: ClassVar = {
        "v1": ["Namespace", "ServiceAccount", "ConfigMap", "PersistentVolumeClaim"],
        "batch/v1": ["CronJob", "Job"],
        "rbac.authorization.k8s.io/v1": ["Role", "RoleBinding"],
    }

    def do_GET(self) -> None:
        found = self.found(self.path.partition("?")[0].strip("/"))
        body = json.dumps(found or {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def found(self, path: str) -> dict[str, Any] | None:
        if path == "api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "apis":
            versions = [
                {"groupVersion": each, "version": "v1"} for each in self.kinds if "/" in each
            ]
            groups = [
                {
                    "name": each["groupVersion"].partition("/")[0],
                    "versions": [each],
                    "preferredVersion": each,
                }
                for each in versions
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        version = path.removeprefix("apis/").removeprefix("api/")
        if version not in self.kinds:
            return None
        kinds = [
            {"name": f"{kind.lower()}s", "singularName": kind.lower(), "kind": kind,
             "namespaced": kind != "Namespace", "verbs": ["create", "get"]}
            for kind in self.kinds[version]
        ]  # fmt: skip
        return {"kind": "APIResourceList", "groupVersion": version, "resources": kinds}

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
@pytest.mark.parametrize("name", sorted(path.name for path in (EXAMPLES / "kubernetes").iterdir()))
def test_kubectl_takes_the_manifests(name: str, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Discovery)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        done = subprocess.run(
            ["kubectl", "--server", f"http://127.0.0.1:{server.server_address[1]}", "create",
             "--dry-run=client", "--validate=false", "--output=name", "-f", EXAMPLES / "kubernetes" / name],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr
    taken = {line.partition("/")[0].partition(".")[0] for line in done.stdout.split()}
    assert taken
    assert taken <= {each["kind"].lower() for each in CLUSTER}
