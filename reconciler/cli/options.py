"""Flags that several commands share. Each flag `--some-flag` is also NETBIRD_TOKENS_SOME_FLAG."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from reconciler.cli.help import Option

if TYPE_CHECKING:
    from reconciler.commands.asked import Asked
    from reconciler.commands.desk import Desk
    from reconciler.commands.output import Output, Report
    from reconciler.reports.style import Style
    from reconciler.wiring import Parts

_F = TypeVar("_F", bound=Callable[..., object])
FORMATS: Final = ("text", "json", "markdown")
RUN_FORMATS: Final = (
    "events", "github-output", "gitlab", "gitlab-codequality", "junit", "prometheus",
)  # fmt: skip
"""Of commands that make or check a plan; `reports.formats` has them."""
_NARROWEST: Final = 60


def option(*flags: str, **more: Any) -> Callable[[_F], _F]:
    """A click option with its environment variable and, as `section`, its place in the help text."""
    flag = next(flag for flag in flags if flag.startswith("--")).split("/")[0]
    name = flag.removeprefix("--").replace("-", "_").upper()
    return click.option(*flags, cls=Option, envvar=f"NETBIRD_TOKENS_{name}", **more)


def stacked(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Several options as one decorator, shown in the order written."""

    def decorate(function: _F) -> _F:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


class File(click.Path):
    """A path; none is empty, which would mean the working directory."""

    def __init__(self, **more: Any) -> None:
        super().__init__(path_type=Path, **more)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        if not os.fspath(value):
            self.fail("it is empty; name a path, or leave the flag out", param, ctx)
        return super().convert(value, param, ctx)


_INPUT: Final = "Files and server"
_OUTPUT: Final = "Output"
_EXCEPTIONS: Final = "Exceptions, each by name"

config: Final = option(
    "-c", "--config", type=File(exists=True, dir_okay=False), section=_INPUT,
    help="Config file. Default: .netbird-tokens.yaml beside the token file.",
)  # fmt: skip
files: Final = option(
    "-f", "--file", multiple=True, type=File(), section=_INPUT,
    help="Token file or folder. Default: tokens.yaml or tokens/ here. Repeatable.",
)  # fmt: skip
server: Final = stacked(
    config,
    option("--management-url", metavar="URL", section=_INPUT,
           help="NetBird server. Default: NB_MANAGEMENT_URL, the config, or NetBird Cloud."),
    option("--token-file", type=File(), metavar="FILE", section=_INPUT,
           help="File with the credential. Default: the credential is in NB_PAT."),
)  # fmt: skip
colour: Final = option(
    "--color", "colour", type=click.Choice(("auto", "always", "never")), default="auto",
    show_default=True, section=_OUTPUT, help="NO_COLOR and FORCE_COLOR are honoured.",
)  # fmt: skip
_report: Final = option(
    "--report", multiple=True, metavar="FORMAT=FILE", section=_OUTPUT,
    help="Write the result to a file, too, as in --report json=out.json. Repeatable.",
)  # fmt: skip
_run_report: Final = stacked(
    option("--report", multiple=True, metavar="FORMAT=FILE", section=_OUTPUT,
           help="Write a report to a file, too: text, json, markdown, " + ", ".join(RUN_FORMATS)
           + ". Repeatable."),
    option("--ci", type=click.Choice(("auto", "github", "none")), default="auto", show_default=True,
           section=_OUTPUT, help="Whether GitHub is told of problems line by line, and of counts."),
)  # fmt: skip
_format: Final = option(
    "--format", type=click.Choice(FORMATS), default="text", show_default=True, section=_OUTPUT,
    help="What goes to stdout; everything else goes to stderr.",
)  # fmt: skip
_look: Final = stacked(
    colour,
    option("-v", "--verbose", is_flag=True, section=_OUTPUT,
           help="Show everything, also what is in order."),
)  # fmt: skip
output: Final = stacked(_format, _report, _look)
run_output: Final = stacked(_format, _run_report, _look)
only_reports: Final = _run_report
yes: Final = option("-y", "--yes", is_flag=True, help="Do not ask.")
wait: Final = option(
    "--lock-timeout", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
    help="How long to wait for another run that holds the lock. Default: not at all.",
)  # fmt: skip
exceptions: Final = stacked(
    option("--allow-revoke", multiple=True, metavar="NAME", section=_EXCEPTIONS,
           help="Remove this token past guards and protection. Repeatable."),
    option("--allow-reissue", multiple=True, metavar="NAME", section=_EXCEPTIONS,
           help="Make this token anew though an old one may be in use elsewhere. Repeatable."),
    option("--accept-registration", multiple=True, metavar="SINK", section=_EXCEPTIONS,
           help="Take over a sink that another server or principal registered. Repeatable."),
)  # fmt: skip


def parts_of(values: dict[str, Any]) -> Parts:
    """The parts that these flags and this environment lead to."""
    from reconciler.wiring import Parts, Where  # noqa: PLC0415 - `--help` imports no HTTP and no YAML

    where = Where(
        files=tuple(values.pop("file", ())),
        config=values.pop("config", None),
        management_url=values.pop("management_url", None),
        token_file=values.pop("token_file", None),
        lock_timeout=values.pop("lock_timeout", 0.0),
    )
    return Parts(where, os.environ)


def output_of(values: dict[str, Any]) -> Output:
    """How to show results; for commands without `--ci`, in the three formats that all have."""
    from reconciler.commands.output import Output, rooted  # noqa: PLC0415 - see parts_of
    from reconciler.reports.style import Detail  # noqa: PLC0415 - same
    from reconciler.surroundings import job_of  # noqa: PLC0415 - same

    ci = values.pop("ci", None)
    github = ci == "github" or (ci == "auto" and os.environ.get("GITHUB_ACTIONS") == "true")
    wanted = _wanted(values.pop("report"), FORMATS if ci is None else FORMATS + RUN_FORMATS)
    detail = Detail.FULL if values.pop("verbose", False) else Detail.BRIEF
    style = replace(style_of(values.pop("colour", "never")), detail=detail)
    return Output(
        format=values.pop("format", "text"),
        reports=_reports(wanted, github=github),
        style=style,
        events=tuple(path for kind, path in wanted if kind == "events"),
        annotates=github,
        place=rooted(job_of(os.environ).root),
    )


def _wanted(written: tuple[str, ...], formats: tuple[str, ...]) -> list[tuple[str, Path]]:
    found = []
    for each in written:
        kind, sign, path = each.partition("=")
        if not sign or not path or kind not in formats:
            raise click.UsageError(
                f"--report takes FORMAT=FILE, FORMAT one of {', '.join(formats)}"
            )
        found.append((kind, Path(path)))
    return found


def _reports(wanted: list[tuple[str, Path]], *, github: bool) -> tuple[Report, ...]:
    """The files to write at the end. What GitHub gives every step of a job is added to."""
    from reconciler.commands.output import Report  # noqa: PLC0415 - see parts_of

    outputs, summary = (os.environ.get(f"GITHUB_{n}", "") for n in ("OUTPUT", "STEP_SUMMARY"))
    if github and outputs and Path(outputs) not in (path for _, path in wanted):
        wanted = [*wanted, ("github-output", Path(outputs))]
    given = [os.path.realpath(path) for path in (outputs, summary) if path]
    return tuple(
        Report(kind, path, appends=kind == "github-output" or os.path.realpath(path) in given)
        for kind, path in wanted
        if kind != "events"
    )


def style_of(colour: str) -> Style:
    """What stdout can show: colour as asked for, the width of the terminal if it is one."""
    from reconciler.reports.style import Style  # noqa: PLC0415 - see parts_of

    terminal = sys.stdout.isatty()
    known = terminal or bool(os.environ.get("COLUMNS"))
    width = max(shutil.get_terminal_size().columns, _NARROWEST) if known else None
    return Style(_colour(colour, terminal=terminal), width=width)


def _colour(wanted: str, *, terminal: bool) -> bool:
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return terminal and os.environ.get("TERM") != "dumb"


def asked_of(values: dict[str, Any]) -> Asked:
    """What was asked for by name."""
    from reconciler.commands.asked import Asked  # noqa: PLC0415 - see parts_of

    return Asked(
        rotate=tuple(values.pop("rotate", ())),
        rotate_reason=values.pop("reason", ""),
        compromised=values.pop("compromised", False),
        allow_revoke=tuple(values.pop("allow_revoke", ())),
        allow_reissue=tuple(values.pop("allow_reissue", ())),
        accept_registration=tuple(values.pop("accept_registration", ())),
    )


def desk() -> Desk:
    """The terminal we were started from."""
    from reconciler.commands.desk import Desk  # noqa: PLC0415 - see parts_of

    def ask(question: str) -> bool:
        try:
            return click.confirm(question, default=False, err=True)
        except click.Abort as abort:
            if isinstance(abort.__context__, KeyboardInterrupt):
                raise abort.__context__ from None
            return False  # the input ended: that is no yes

    return Desk(sys.stdout, sys.stderr, sys.stdin.isatty() and sys.stderr.isatty(), ask)
