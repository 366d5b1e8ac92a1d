"""Flags that several commands share. Each flag `--some-flag` is also NETBIRD_TOKENS_SOME_FLAG."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from reconciler.commands.desk import Desk
    from reconciler.commands.output import Output
    from reconciler.core.world import Requests
    from reconciler.wiring import Parts

_F = TypeVar("_F", bound=Callable[..., object])
FORMATS: Final = ("text", "json", "markdown")


def option(*flags: str, **more: Any) -> Callable[[_F], _F]:
    """A click option with its environment variable."""
    flag = next(flag for flag in flags if flag.startswith("--")).split("/")[0]
    name = flag.removeprefix("--").replace("-", "_").upper()
    return click.option(*flags, envvar=f"NETBIRD_TOKENS_{name}", **more)


def stacked(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    """Several options as one decorator, shown in the order written."""

    def decorate(function: _F) -> _F:
        for each in reversed(options):
            function = each(function)
        return function

    return decorate


server: Final = stacked(
    option("-c", "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False),
           help="Config file; else .netbird-tokens.yaml beside the token file."),
    option("--management-url", help="NetBird server; else NB_MANAGEMENT_URL, config, NetBird Cloud."),
    option("--token-file", type=click.Path(path_type=Path),
           help="File with the credential; else NB_PAT."),
)  # fmt: skip
files: Final = option(
    "-f", "--file", multiple=True, type=click.Path(path_type=Path),
    help="Token file or folder; else tokens.yaml or tokens/ here. Repeatable.",
)  # fmt: skip
output: Final = stacked(
    option("--format", type=click.Choice(FORMATS), default="text", show_default=True,
           help="Format on stdout."),
    option("--report", multiple=True, metavar="FORMAT=PATH",
           help="Write a format to a file, too. Repeatable."),
    option("--color", "colour", type=click.Choice(("auto", "always", "never")), default="auto",
           help="Colour; NO_COLOR and FORCE_COLOR are honoured."),
    option("-v", "--verbose", is_flag=True, help="Show what is in order, too."),
)  # fmt: skip
yes: Final = option("-y", "--yes", is_flag=True, help="Do not ask.")
wait: Final = option(
    "--lock-timeout", type=click.FloatRange(0), default=0.0, metavar="SECONDS",
    help="How long to wait for another run.",
)  # fmt: skip
exceptions: Final = stacked(
    option("--allow-revoke", multiple=True, metavar="NAME",
           help="Remove this token past guards and protection. Repeatable."),
    option("--allow-reissue", multiple=True, metavar="NAME",
           help="Make this token anew though an old one may be in use elsewhere. Repeatable."),
    option("--accept-registration", multiple=True, metavar="SINK",
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
    """How to show results."""
    from reconciler.commands.output import Output, Report  # noqa: PLC0415 - see parts_of
    from reconciler.reports.text import Detail, Style  # noqa: PLC0415 - same

    reports = []
    for each in values.pop("report"):
        kind, found, path = each.partition("=")
        if not found or kind not in FORMATS:
            raise click.UsageError(
                f"--report takes FORMAT=PATH, FORMAT one of {', '.join(FORMATS)}"
            )
        reports.append(Report(kind, Path(path)))
    detail = Detail.FULL if values.pop("verbose") else Detail.BRIEF
    style = Style(_colour(values.pop("colour"), sys.stdout.isatty()), detail)
    return Output(values.pop("format"), tuple(reports), style)


def _colour(wanted: str, terminal: bool) -> bool:  # noqa: FBT001 - both are read off the same line
    if wanted != "auto":
        return wanted == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")


def requests_of(values: dict[str, Any]) -> Requests:
    """What was asked for by name."""
    from reconciler.core.world import Requests  # noqa: PLC0415 - see parts_of

    return Requests(
        rotate=frozenset(values.pop("rotate", ())),
        rotate_reason=values.pop("reason", ""),
        compromised=values.pop("compromised", False),
        allow_revoke=frozenset(values.pop("allow_revoke", ())),
        allow_reissue=frozenset(values.pop("allow_reissue", ())),
        accept_registration=frozenset(values.pop("accept_registration", ())),
    )


def desk() -> Desk:
    """The terminal we were started from."""
    from reconciler.commands.desk import Desk  # noqa: PLC0415 - see parts_of

    def ask(question: str) -> bool:
        return click.confirm(question, default=False, err=True)

    interactive = sys.stdin.isatty() and sys.stderr.isatty()
    return Desk(sys.stdout, sys.stderr, interactive, sys.stdout.isatty(), ask)
