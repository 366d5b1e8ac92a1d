"""How close a plan comes to the limit of its requests: 10,000 specs over 1,000 users, 20 ms each.

Run: `.venv/bin/python benchmarks/plan_speed.py`. The limit is measured in the same run: the same
number of GETs of the same paths, by as many threads, over bare kept-alive connections. The emulator
runs as a process of its own, so that it does not share our interpreter.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.cli import run
from reconciler.emulator import Emulator
from reconciler.gather import CONCURRENCY
from reconciler.wiring import Parts, Where

SPECS, USERS, LATENCY_MS = 10_000, 1_000, 20


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulator = Emulator(store=folder / "store.db")
        us = emulator.add_user("reconciler", role="admin", service_user=True)
        users = [emulator.add_user(f"u{n}", role="user", service_user=True) for n in range(USERS)]
        os.environ["NB_PAT"] = emulator.issue(us, "bench", days=9)
        lines = "".join(f"  - {{name: t{n}, user: u{n % USERS}}}\n" for n in range(SPECS))
        head = "apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: bench\ntokens:\n"
        tokens = folder / "tokens.yaml"
        tokens.write_text(head + lines, encoding="utf-8")
        server = subprocess.Popen(
            [sys.executable, "-m", "reconciler.emulator", "--store", str(folder / "store.db"),
             "--latency-ms", str(LATENCY_MS)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            measure(url, users, tokens, folder)
        finally:
            server.terminate()
            server.wait()


def measure(url: str, users: list[str], tokens: Path, folder: Path) -> None:
    loading = timed(lambda: Parts(Where(files=(tokens,)), {}).loaded)
    bare = timed(lambda: get_all(url, ["/api/users", *(f"/api/users/{u}/tokens" for u in users)]))
    argv = ["plan", "-f", str(tokens), "--management-url", url, "--report", f"json={folder}/p.json"]
    sys.stdout.flush()
    quiet, out = os.open(os.devnull, os.O_WRONLY), os.dup(1)
    os.dup2(quiet, 1)
    try:
        planning = timed(lambda: run(argv))
    finally:
        sys.stdout.flush()
        os.dup2(out, 1)
    ideal = (USERS + 1) / CONCURRENCY * LATENCY_MS / 1000
    print(f"requests / concurrency x latency   {ideal:6.2f} s")
    print(f"the same GETs, bare                {bare:6.2f} s")
    print(f"loading the YAML                   {loading:6.2f} s")
    print(f"plan, all of it                    {planning:6.2f} s")
    print(f"(plan - YAML) / limit              {(planning - loading) / ideal:6.2f}   (goal: 1.5)")


def timed(work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - began


def get_all(url: str, paths: list[str]) -> None:
    where = urlsplit(url)
    headers = {"Authorization": f"Token {os.environ['NB_PAT']}"}

    def some(mine: list[str]) -> None:
        connection = http.client.HTTPConnection(str(where.hostname), where.port)
        for path in mine:
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
        connection.close()

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(some, (paths[n::CONCURRENCY] for n in range(CONCURRENCY))))


if __name__ == "__main__":
    main()
