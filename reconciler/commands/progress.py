"""A line that shows how far a run is: on a terminal's stderr only, and gone when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.commands.desk import Desk


@contextmanager
def counting(desk: Desk, total: int) -> Iterator[Callable[[], None]]:
    """Gives a function to call once for every action that has ended."""
    if not desk.err.isatty() or total == 0:
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - only people at a terminal wait for it
    from rich.progress import Progress  # noqa: PLC0415 - same

    with Progress(console=Console(file=desk.err), transient=True) as progress:
        task = progress.add_task("applying", total=total)
        yield lambda: progress.advance(task)


@contextmanager
def waiting(desk: Desk, what: str) -> Iterator[None]:
    """Says what is being waited for."""
    if not desk.err.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - see counting

    with Console(file=desk.err).status(what):
        yield
