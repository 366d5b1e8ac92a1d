"""How close a plan comes to the limit of its requests: 10,000 specs over 1,000 users, 20 ms each.

Run: `.venv/bin/python benchmarks/plan_speed.py`. The limit is requests / concurrency x latency, plus
the time to load the YAML: that of `validate` beyond `version`. What else a plan does, from the start of
Python to its exit, counts against it: imports, the plan itself, its text, and its JSON in a file.
"""

from __future__ import annotations

import http.client
import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from measure import Account, best, command, judge, say, timed, write_tokens

from reconciler.gather import CONCURRENCY

SPECS, USERS, LATENCY_MS = 10_000, 1_000, 20
LIMIT = 1.5


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        account = Account(folder / "store.db", USERS)
        os.environ["NB_PAT"] = account.credential
        tokens = str(write_tokens(folder / "tokens.yaml", SPECS, USERS))
        with account.served(LATENCY_MS) as url:
            paths = ["/api/users", *(f"/api/users/{user}/tokens" for user in account.users)]
            bare = best(lambda: get_all(url, paths))
            one = statistics.median(timed(lambda: get_all(url, paths[1:2])) for _ in range(20))
            options = ["--management-url", url, "--report", f"json={folder / 'plan.json'}"]
            planning = best(lambda: command("plan", "-f", tokens, *options))
        start = best(lambda: command("version"))
        loading = best(lambda: command("validate", "-f", tokens)) - start
    ideal = len(paths) / CONCURRENCY * LATENCY_MS / 1000
    say(f"{len(paths)} requests / {CONCURRENCY} x {LATENCY_MS} ms", ideal)
    say("one of them, bare", one)
    say("all of them, bare", bare)
    say("version: start and exit", start)
    say("loading the YAML", loading)
    say("plan, all of it", planning)
    judge("(plan - YAML) / limit", (planning - loading) / ideal, LIMIT)


def get_all(url: str, paths: list[str]) -> None:
    """GET every path over as many kept-alive connections as a plan has, with nothing around it."""
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
