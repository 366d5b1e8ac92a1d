"""How close an apply comes to the limit of its requests: 200 tokens are due and renewed, 20 ms each.

Run: `.venv/bin/python benchmarks/apply_speed.py`. The requests needed are those of the plan (one for
the users, then one for each user's tokens) and one POST for each token; the limit is how long the same
server takes for them over as many connections, with nothing around them. Starting and loading the YAML
is what `validate` does, too; what an apply needs beyond it is held against the limit. Each secret must
be on the disk before its token counts as renewed; so that this is seen apart, the same renewals are
timed with a sink in memory, too.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

from measure import (
    RUNS,
    Account,
    Bare,
    best,
    command,
    judge,
    say,
    send_all,
    timed,
    write_tokens,
)

from reconciler.emulator import FileClock
from reconciler.engine import CONCURRENCY
from reconciler.sinks.file.safe_walk import open_folder

TOKENS, USERS, LATENCY_MS = 200, 20, 20
LIMIT = 1.5
MEMORY = "/dev/shm"  # noqa: S108 - what lies in it is private and made up


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        here = Path(name).resolve()
        tokens = str(write_tokens(here / "tokens.yaml", TOKENS, USERS))
        start = best(lambda: command("validate", "-f", tokens))
        with open_folder(here) as folder:
            flushed = best(lambda: folder.replace("file", os.urandom(40), "once"), runs=20)
    bare = min(bare_requests() for _ in range(RUNS))
    on_disk = min(renewal(None) for _ in range(RUNS))
    in_memory = min(renewal(MEMORY) for _ in range(RUNS))
    rounds = 1 + in_rounds(USERS) + in_rounds(TOKENS)
    ideal = rounds * LATENCY_MS / 1000
    say(f"1 + {USERS} + {TOKENS} requests: {rounds} x {LATENCY_MS} ms", ideal)
    say("the same requests, bare", bare)
    say("validate: start, and loading the YAML", start)
    say("apply, secrets in memory", in_memory)
    say("apply, secrets on this disk", on_disk)
    say("what the disk costs", on_disk - in_memory)
    say("one small file put on it", flushed)
    judge("(apply in memory - validate) / bare", (in_memory - start) / bare, LIMIT)


def in_rounds(requests: int) -> int:
    """How often all connections must be used."""
    return -(-requests // CONCURRENCY)


def bare_requests() -> float:
    """The time of the requests alone, on a server that is in the same state."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        account = Account(Path(name) / "store.db", USERS)
        os.environ["NB_PAT"] = account.credential
        paths = [f"/api/users/{user}/tokens" for user in account.users]
        posts = [
            Bare(paths[n % USERS], {"name": f"t{n}", "expires_in": 90}) for n in range(2 * TOKENS)
        ]
        with account.served(LATENCY_MS) as url:
            send_all(url, posts[:TOKENS], CONCURRENCY)
            return timed(lambda: _in_three_rounds(url, paths, posts[TOKENS:]))


def _in_three_rounds(url: str, paths: list[str], posts: list[Bare]) -> None:
    send_all(url, [Bare("/api/users")], connections=1)
    send_all(url, [Bare(path) for path in paths], CONCURRENCY)
    send_all(url, posts, CONCURRENCY)


def renewal(place: str | None) -> float:
    """The time of an apply that renews all tokens, with everything it writes in this place."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        clock = FileClock(folder / "clock")
        account = Account(folder / "store.db", USERS, clock)
        os.environ["NB_PAT"] = account.credential
        tokens = str(write_tokens(folder / "tokens.yaml", TOKENS, USERS))
        with account.served(LATENCY_MS, "--clock-file", str(folder / "clock")) as url:
            apply = ("apply", "--yes", "-f", tokens, "--management-url", url)
            command(*apply)
            clock.advance(timedelta(days=80))
            took = timed(lambda: command(*apply))
        assert account.count() == 2 * TOKENS
        return took


if __name__ == "__main__":
    main()
