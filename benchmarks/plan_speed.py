"""How close a plan comes to the limit of its requests: 10,000 specs over 1,000 users, 20 ms each.

Run: `.venv/bin/python benchmarks/plan_speed.py`. The limit is requests / concurrency x latency. Starting
and loading the YAML is what `validate` does, too; all that a plan needs beyond it is held against the
limit: the requests, the plan itself, and its text. What its JSON in a file costs besides is shown.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from measure import Account, Bare, best, command, judge, say, send_all, write_tokens

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
            reads = [Bare("/api/users"), *(Bare(f"/api/users/{u}/tokens") for u in account.users)]
            one = best(lambda: send_all(url, reads[:8], connections=1)) / 8
            bare = best(lambda: send_all(url, reads, CONCURRENCY))
            argv = ["plan", "-f", tokens, "--management-url", url]
            planning = best(lambda: command(*argv))
            with_json = best(lambda: command(*argv, "--report", f"json={folder / 'plan.json'}"))
        loading = best(lambda: command("validate", "-f", tokens))
    ideal = len(reads) / CONCURRENCY * LATENCY_MS / 1000
    say(f"{len(reads)} requests / {CONCURRENCY} x {LATENCY_MS} ms", ideal)
    say("one of them, bare", one)
    say("all of them, bare", bare)
    say("validate: start, and loading the YAML", loading)
    say("plan", planning)
    say("plan, and its JSON in a file", with_json)
    judge("(plan - validate) / limit", (planning - loading) / ideal, LIMIT)


if __name__ == "__main__":
    main()
