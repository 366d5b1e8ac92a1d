"""How close the bulk read of a store comes to the limit of its requests: 1,000 receipts, 20 ms each.

Run: `.venv/bin/python benchmarks/sink_speed.py`. For a store that is asked for each record the limit is
requests / connections x latency. A store that lists whole pages is waited for twice, so there the bytes
and the receipts count: the limit is a bare client that fetches the same pages one after the other, decodes
them, and judges each receipt and its value as every sink must.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from measure import best, judge, say

from reconciler.core.receipts import Stored
from reconciler.core.secret import Secret
from reconciler.sinks import sink_type
from reconciler.sinks.receipt_text import Found, receipt_to_json, to_text
from reconciler.sinks.rest import CONNECTIONS
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, receipt

RECEIPTS, LATENCY_MS = 1_000, 20
LIMIT = 1.5
TESTS = Path(__file__).parents[1] / "tests"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        vault(Path(name))
        kubernetes(Path(name))


def vault(folder: Path) -> None:
    """Two folders, so three lists; the mount is asked about, and the registrations are listed."""
    records = {
        f"netbird-tokens/bench/t{n}": {
            "token": plain(n),
            "netbird-tokens": to_text(receipt_to_json(receipt(n))),
        }
        for n in range(RECEIPTS)
    }
    options = {
        "mount": "secret",
        "path": "netbird-tokens",
        "value_field": "token",
        "receipt_field": "netbird-tokens",
        "old_versions": "destroy",
    }
    (folder / "records.json").write_text(json.dumps(records), encoding="utf-8")
    with fake("vault", str(folder / "records.json")) as url:
        around = Surroundings(
            folder, {"VAULT_ADDR": url, "VAULT_TOKEN": "root-token"}, allow_http=False
        )

        def look() -> None:
            found = sink_type("vault").build(options, around).inventory([])
            assert len(found.entries) == RECEIPTS

        requests = RECEIPTS + 4
        ideal = requests / CONNECTIONS * LATENCY_MS / 1000
        say(f"vault: {requests} requests / {CONNECTIONS} x {LATENCY_MS} ms", ideal)
        judge_read("vault", best(look), ideal)


def kubernetes(folder: Path) -> None:
    """A list of the names of others, then two pages of 500 of ours, one after the other."""
    secrets = [
        {
            "metadata": {
                "name": f"bench.t{n}",
                "labels": {"netbird-tokens/receipts": "true"},
                "annotations": {
                    "receipt.netbird-tokens/token": to_text(receipt_to_json(receipt(n)))
                },
            },
            "data": {"token": base64.b64encode(plain(n).encode()).decode()},
        }
        for n in range(RECEIPTS)
    ]
    (folder / "secrets.json").write_text(json.dumps(secrets), encoding="utf-8")
    with fake("kubernetes", str(folder / "secrets.json")) as url:
        config = folder / "kubeconfig"
        config.write_text(json.dumps(kubeconfig(url)), encoding="utf-8")
        options = {"kubeconfig": str(config), "field": "token"}

        def look() -> None:
            sink = sink_type("kubernetes").build(
                options, Surroundings(folder, {}, allow_http=False)
            )
            assert len(sink.inventory([]).entries) == RECEIPTS

        limit = best(lambda: read_bare(url))
        say("kubernetes: the same pages, by a bare client", limit)
        judge_read("kubernetes", best(look), limit)


def kubeconfig(url: str) -> dict[str, object]:
    return {
        "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "users": [{"name": "bench", "user": {"token": "root-token"}}],
        "contexts": [
            {
                "name": "bench",
                "context": {"cluster": "bench", "user": "bench", "namespace": "netbird"},
            }
        ],
    }


def read_bare(url: str) -> None:
    """All pages, and whether each value is the one of its receipt."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    query = {"labelSelector": "netbird-tokens/receipts", "limit": "500"}
    while True:
        path = f"/api/v1/namespaces/netbird/secrets?{urlencode(query)}"
        connection.request("GET", path, headers={"Authorization": "Bearer root-token"})
        page = json.loads(connection.getresponse().read())
        for each in page["items"]:
            text = each["metadata"]["annotations"]["receipt.netbird-tokens/token"]
            value = Secret(base64.b64decode(each["data"]["token"]).decode())
            assert isinstance(Found(text, value).judged(), Stored)
        if "continue" not in page["metadata"]:
            break
        query["continue"] = page["metadata"]["continue"]
    connection.close()


def judge_read(what: str, seconds: float, ideal: float) -> None:
    say(f"{what}: reading {RECEIPTS} receipts", seconds)
    judge(f"{what}: read / limit", seconds / ideal, LIMIT)


@contextmanager
def fake(name: str, *argv: str) -> Iterator[str]:
    """The address of a fake of our tests, in a process of its own."""
    command = [sys.executable, str(TESTS / "fakes" / f"{name}.py"), str(LATENCY_MS), *argv]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
