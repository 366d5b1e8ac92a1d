"""A line that shows how far a run is: on a terminal's stderr only, and gone when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.commands.desk import Desk


@contextmanager
def counting(desk: Desk, total: int) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Gives a function to call once for every action that has ended, with what says so.

    The count makes room for each line that is said: both may be on one terminal.
    """
    if not desk.err.isatty() or total == 0:
        yield lambda say: say()
        return
    done = 0

    def count(*, shown: bool) -> None:
        text = f"applying: {done} of {total}"
        desk.err.write(f"\r{text if shown else ' ' * len(text)}\r")
        desk.err.flush()

    def ended(say: Callable[[], None]) -> None:
        nonlocal done
        count(shown=False)
        say()
        done += 1
        count(shown=True)

    count(shown=True)
    try:
        yield ended
    finally:
        count(shown=False)


@contextmanager
def waiting(desk: Desk, what: str) -> Iterator[None]:
    """Says what is being waited for."""
    if not desk.err.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - only people at a terminal wait for it

    with Console(file=desk.err).status(what):
        yield
