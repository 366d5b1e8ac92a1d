"""How results leave a command: one format on stdout, and any number of report files beside it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.desk import Desk
from reconciler.errors import ExitCode, Unwritten, UsageError
from reconciler.reports.escape import harmless, terminal
from reconciler.reports.formats import MERGED, MODES, Place
from reconciler.reports.github import as_given
from reconciler.reports.style import Style

Renderers = Mapping[str, Callable[[Style], str]]
"""Format name to the function that renders it."""


@dataclass(frozen=True, slots=True)
class Report:
    """`--report FORMAT=PATH`.

    Attributes:
        appends: Whether others write to this file, too, so that it is added to.
    """

    format: str
    path: Path
    appends: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """How results are shown: `--format`, `--report`, `--ci`, and the style of text.

    Attributes:
        events: Files that are written while a run goes on.
        annotates: Whether GitHub reads what we say, and shall be told what is wrong in which line.
        place: How a file is called from the root of the repository.
    """

    format: str = "text"
    reports: tuple[Report, ...] = ()
    style: Style = field(default_factory=Style)
    events: tuple[Path, ...] = ()
    annotates: bool = False
    place: Place = as_given

    @property
    def is_text(self) -> bool:
        """Whether stdout is for people, who read what happens while it happens."""
        return self.format == "text"

    @property
    def streams(self) -> list[Report]:
        """Reports that go to what is no file."""
        return [report for report in self.reports if is_stream(report.path)]

    @property
    def files(self) -> list[Report]:
        streams = self.streams
        return [report for report in self.reports if report not in streams]

    def check(self, *others: Path) -> None:
        """Prove, before anything is done, that reports and `others` can be written.

        Raises UsageError. What a disk, a mount or a reader will refuse later, nobody can know now.
        """
        appended = [report.path for report in self.reports if report.appends]
        for path in (*(report.path for report in self.reports), *self.events, *others):
            if not _is_writable(path) or (path in appended and not _may_append(path)):
                raise UsageError(
                    f"{path} cannot be written; nothing was done",
                    hint="name a file in a folder that is there and that you can write to",
                )


def publish(desk: Desk, renderers: Renderers, output: Output, code: ExitCode) -> ExitCode:
    """Show one format, write the others; the exit code, which a lost file changes only if it was 0.

    Files get neither colour nor the width of a terminal.
    """
    desk.show(renderers[output.format](output.style))
    lost = save(output.reports, renderers, output.style)
    return complain(desk, lost, code)


def save(reports: Iterable[Report], renderers: Renderers, style: Style) -> list[Unwritten]:
    """Write report files; those that could not be written."""
    lost = []
    for report in reports:
        try:
            _save(report, renderers[report.format](style.plain()))
        except Unwritten as error:
            lost.append(error)
    return lost


def _save(report: Report, content: str) -> None:
    if report.appends:
        apart = "\n" if report.format == "markdown" and _before(report.path) else ""
        _append(report.path, apart + harmless(content))  # HTML above it ends at a blank line
        return
    if merge := MERGED.get(report.format):
        content = merge(_before(report.path), content)
    write(report.path, content, MODES.get(report.format))


def complain(desk: Desk, lost: Sequence[Unwritten], code: ExitCode) -> ExitCode:
    """Say which files were lost. What the command did matters more: its own code stays."""
    for error in lost:
        desk.note(f"error: {terminal(error.message)}\n  try: {error.hint}")
    return code or (ExitCode.ERROR if lost else ExitCode.OK)


def write(path: Path, content: str, mode: int | None = None) -> None:
    """Replace a file as a whole, so that nobody ever sees half of it; what is no file is written to.

    A symbolic link stays, and the file that it leads to is replaced. Without a `mode` the file keeps
    its own, or gets the usual one. Raises Unwritten.
    """
    content = harmless(content)
    if is_stream(path):
        _append(path, content)
        return
    try:
        _replace(_target(path), content, mode)
    except OSError as error:
        raise _unwritten(path, error) from None


def _append(path: Path, content: str) -> None:
    """Add to a file, on a line of its own, or write to what is none."""
    try:
        create = 0 if is_stream(path) else os.O_CREAT
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | create, 0o666), "wb") as end:
            last = _before(path)[-1:] if create else ""
            between = "" if last in ("", "\n") else "\n"
            end.write((between + content).encode())
    except OSError as error:
        raise _unwritten(path, error) from None


def _before(path: Path) -> str:
    """What a file holds; nothing where it is none, or cannot be read."""
    if not path.is_file():
        return ""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unwritten(path: Path, error: OSError) -> Unwritten:
    return Unwritten(
        f"{path} was not written: {error.strerror}",
        hint="mend that, or name another file; what was done is said above",
    )


def rooted(root: str) -> Place:
    """How files of the working directory are called from the folder of a repository, if in it."""

    def place(file: str) -> str:
        found = os.path.relpath(os.path.realpath(file), os.path.realpath(root)) if root else file
        return file if found.startswith("..") else found

    return place


def is_stream(path: Path) -> bool:
    """A device, a pipe, or a descriptor of ours, such as `/dev/stdout`: no file to be replaced."""
    if not os.path.exists(path):  # noqa: PTH110 - the method raises where it may not look
        return False
    while path.is_symlink():
        if path.parent.resolve().is_relative_to("/proc"):
            return True  # it leads to what is open, whatever that was called
        path = path.parent / path.readlink()
    return not path.is_file() and not path.is_dir()


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_writable(path: Path) -> bool:
    if is_stream(path):
        return os.access(path, os.W_OK)
    target = _target(path)
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            return not target.is_dir() and not target.is_symlink()  # a link into a circle
    except OSError:
        return False


def _may_append(path: Path) -> bool:
    return not path.exists() or os.access(path, os.W_OK)


def _replace(target: Path, content: str, mode: int | None) -> None:
    if mode is None:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=target.parent, prefix=".netbird-tokens-", delete=False
    ) as temporary:
        half = Path(temporary.name)
        try:
            temporary.write(content)
            temporary.close()
            half.chmod(mode)
            half.replace(target)
        except BaseException:
            half.unlink()
            raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
