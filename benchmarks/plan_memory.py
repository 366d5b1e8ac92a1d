"""How much memory a plan of 100,000 tokens takes: as many entries, all alive, 1,000 users.

Run: `.venv/bin/python benchmarks/plan_memory.py`. No receipt knows these tokens, so every one of them
is told twice, as a create and as a token of the same name: more than any real plan says of so many.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from measure import Account, command, judge, write_tokens

TOKENS, USERS = 100_000, 1_000
LIMIT_KB = 20


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        account = Account(folder / "store.db", USERS)
        os.environ["NB_PAT"] = account.credential
        few, many = (str(write_tokens(folder / f"{n}.yaml", n, USERS)) for n in (1, TOKENS))
        with account.served(0) as url:
            options = ("--management-url", url, "--report", f"json={folder / 'plan.json'}")
            start = command("plan", "-f", few, *options)
            for n in range(TOKENS):
                account.emulator.issue(account.users[n % USERS], f"t{n}")
            most = command("plan", "-f", many, *options)
    print(f"a plan of one token                          {start:8} MB")
    print(f"a plan of {TOKENS:,} tokens                    {most:8} MB")
    judge("KB for each token", (most - start) * 1024 / TOKENS, LIMIT_KB)


if __name__ == "__main__":
    main()
