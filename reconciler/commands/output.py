"""How results leave a command: one format on stdout, and any number of report files beside it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.desk import Desk
from reconciler.errors import UsageError
from reconciler.reports import text

Renderers = Mapping[str, Callable[[], str]]
"""Format name to the function that renders it."""


@dataclass(frozen=True, slots=True)
class Report:
    """`--report FORMAT=PATH`."""

    format: str
    path: Path


@dataclass(frozen=True, slots=True)
class Output:
    """How results are shown: `--format`, `--report`, and the style of text."""

    format: str = "text"
    reports: tuple[Report, ...] = ()
    style: text.Style = field(default_factory=text.Style)


def publish(desk: Desk, renderers: Renderers, shown: str, reports: tuple[Report, ...]) -> None:
    """Show one format, write the others. Raises UsageError for a format the command has not."""
    for report in reports:
        write(report.path, _renderer(renderers, report.format)())
    desk.show(_renderer(renderers, shown)())


def _renderer(renderers: Renderers, name: str) -> Callable[[], str]:
    if name not in renderers:
        raise UsageError(f"there is no format {name!r} here", hint=f"choose {', '.join(renderers)}")
    return renderers[name]


def write(path: Path, content: str) -> None:
    """Replace a file as a whole, so that a reader never sees half of it. Raises UsageError."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as temporary:
            temporary.write(content)
        Path(temporary.name).chmod(0o666 & ~_umask())
        Path(temporary.name).replace(path)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", hint="choose a folder you can write to"
        ) from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
