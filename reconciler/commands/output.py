"""How results leave a command: one format on stdout, and any number of report files beside it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.desk import Desk
from reconciler.errors import UsageError
from reconciler.reports.style import Style

Renderers = Mapping[str, Callable[[Style], str]]
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
    style: Style = field(default_factory=Style)

    @property
    def is_text(self) -> bool:
        """Whether stdout is for people, who read what happens while it happens."""
        return self.format == "text"

    def check(self) -> None:
        """Raises UsageError, before anything is done, for a report that could not be written."""
        for report in self.reports:
            place = report.path if _is_special(report.path) else report.path.parent
            if report.path.is_dir() or not os.access(place, os.W_OK):
                raise UsageError(
                    f"--report {report.format}={report.path} cannot be written",
                    hint="name a file in a folder that is there and that you can write to",
                )


def publish(desk: Desk, renderers: Renderers, output: Output) -> None:
    """Show one format, write the others; files get neither colour nor the width of a terminal."""
    for report in output.reports:
        write(report.path, renderers[report.format](output.style.plain()))
    desk.show(renderers[output.format](output.style))


def write(path: Path, content: str) -> None:
    """Replace a file as a whole, so that a reader never sees half of it. Raises UsageError."""
    try:
        if _is_special(path):
            path.write_text(content, encoding="utf-8")
            return
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


def _is_special(path: Path) -> bool:
    """A device, a pipe, a `>(…)` of the shell: written to, never replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
