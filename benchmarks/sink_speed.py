"""How close the bulk read of a store comes to the limit of its requests: 1,000 receipts, 20 ms each.

Run: `.venv/bin/python benchmarks/sink_speed.py`. The limit is requests / connections x latency.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import best, judge, say

from reconciler.sinks import sink_type
from reconciler.sinks.receipt_text import receipt_to_json, to_text
from reconciler.sinks.rest import CONNECTIONS
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, receipt

RECEIPTS, LATENCY_MS = 1_000, 20
LIMIT = 1.5
TESTS = Path(__file__).parents[1] / "tests"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        vault(Path(name))


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

        judge_read("vault", best(look), requests=RECEIPTS + 4)


def judge_read(what: str, seconds: float, requests: int) -> None:
    ideal = requests / CONNECTIONS * LATENCY_MS / 1000
    say(f"{what}: {requests} requests / {CONNECTIONS} x {LATENCY_MS} ms", ideal)
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
