"""`python -m reconciler.emulator`: the emulator as a process of its own; its URL is the first line out.

A fresh store gets an owner and the admin service user `ci-bot`, whose token goes to the bootstrap file.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from reconciler.emulator import Clock, Emulator, FileClock, serve


def main() -> None:
    options = _options()
    clock = Clock() if options.clock_file is None else FileClock(options.clock_file)
    emulator = Emulator(clock=clock, store=options.store, time_zone=options.time_zone)
    if options.bootstrap_file is not None and not options.bootstrap_file.exists():
        _write_private(options.bootstrap_file, _bootstrap(emulator) + "\n")
    with serve(emulator, timedelta(milliseconds=options.latency_ms), options.port) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reconciler.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--store", type=Path, help="SQLite file; memory when left out")
    parser.add_argument("--bootstrap-file", type=Path, help="where the first token goes")
    parser.add_argument("--latency-ms", type=float, default=0, help="every request waits so long")
    parser.add_argument("--clock-file", type=Path, help="a clock shared by processes (FileClock)")
    parser.add_argument("--time-zone", default="UTC", help="the server's zone, an IANA name")
    return parser.parse_args()


def _bootstrap(emulator: Emulator) -> str:
    emulator.add_user("Alice", role="owner")
    bot = emulator.add_user("ci-bot", role="admin", service_user=True)
    return emulator.issue(bot, "bootstrap")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
