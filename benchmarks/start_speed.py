"""How fast the command starts: `version` against Python with nothing but click.

Run: `.venv/bin/python benchmarks/start_speed.py`.
"""

from __future__ import annotations

from measure import best, command, judge, python, say

RUNS = 20
LIMIT = 3


def main() -> None:
    click = best(lambda: python("-c", "import click"), RUNS)
    version = best(lambda: command("version"), RUNS)
    say("python -c 'import click'", click)
    say("netbird-tokens version", version)
    judge("version / click", version / click, LIMIT)


if __name__ == "__main__":
    main()
