"""snapshot, show, explain, schema, completion, version."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from reconciler import __version__
from reconciler.cli import options
from reconciler.cli.help import Command, Group

SCHEMAS: Final = (
    "tokenset",
    "config",
    "plan",
    "report",
    "drift",
    "tokens",
    "snapshot",
    "events",
    "audit",
    "notice",
)


@click.command(cls=Command, example="netbird-tokens snapshot --out snapshot.json")
@options.files
@options.server
@options.option("--out", type=options.File(dir_okay=False), metavar="FILE",
                help="Where to write it. Default: stdout.")  # fmt: skip
def snapshot(out: Path | None, **values: Any) -> int:
    """Save what a plan must know of the account, without secrets; sends GETs only.

    `plan --live` plans from it where there is no credential, as in a pull request from a fork.
    """
    from reconciler.commands import snapshot as command  # noqa: PLC0415 - `--help` stays light

    return command.snapshot(options.parts_of(values), options.desk(), out)


@click.command(cls=Command, example="netbird-tokens show plan.json")
@click.argument("plan", type=options.File(exists=True, dir_okay=False))
@options.output
def show(plan: Path, **values: Any) -> int:
    """Show a plan that `plan --out` saved, as plan showed it; offline.

    Exits 6 if its decisions were altered since.
    """
    from reconciler.commands import words  # noqa: PLC0415 - `--help` stays light

    return words.show(options.desk(), options.output_of(values), plan)


@click.command(cls=Command, example="netbird-tokens shards plan.json --count 4 --json")
@click.argument("plan", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options.option("--count", type=click.IntRange(1, 9999), required=True, metavar="N",
                help="How many parts.")  # fmt: skip
@options.option("--json", "as_json", is_flag=True, help="As the matrix of a GitHub workflow.")
def shards(plan: Path, count: int, as_json: bool) -> int:  # noqa: FBT001 - a flag
    """Split a saved plan by user, for jobs that run `apply PLAN --shard I/N`; offline."""
    from reconciler.commands import shards as command  # noqa: PLC0415 - `--help` stays light

    return command.shards(options.desk(), plan, count, as_json=as_json)


@click.group(cls=Group, example="netbird-tokens report merge one.json two.json")
def report() -> None:
    """Work with the reports of runs; offline."""


@report.command(cls=Command, example="netbird-tokens report merge one.json two.json")
@click.argument("reports", nargs=-1, required=True,
                type=click.Path(path_type=Path, exists=True, dir_okay=False))  # fmt: skip
@options.output
def merge(reports: tuple[Path, ...], **values: Any) -> int:
    """Make one report of those that the parts of a run wrote; offline.

    Exits with the worst of their exit codes.
    """
    from reconciler.commands import shards as command  # noqa: PLC0415 - `--help` stays light

    return command.merge(options.desk(), options.output_of(values), reports)


@click.command(cls=Command, example="netbird-tokens explain secret-stale")
@click.argument("codes", metavar="[CODE...]", nargs=-1)
def explain(codes: tuple[str, ...]) -> int:
    """Explain reasons, guards, problem codes, exit codes; without CODE, list them all."""
    from reconciler.commands import words  # noqa: PLC0415 - `--help` stays light

    return words.explain(options.desk(), options.style_of("never").width, codes)


@click.command(cls=Command, example="netbird-tokens schema tokenset")
@click.argument("name", type=click.Choice(SCHEMAS), default="tokenset")
def schema(name: str) -> int:
    """Print a JSON Schema: of a file, or of what `--format json` prints.

    `status` prints a plan, `list` and `inspect` print tokens.
    """
    from reconciler.source.schema import schema_text  # noqa: PLC0415 - `--help` stays light

    click.echo(schema_text(f"{name}.v1"), nl=False)
    return 0


@click.command(cls=Command, example="source <(netbird-tokens completion bash)")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print a completion script."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - seldom needed

    kind: Any = get_completion_class(shell)
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "netbird-tokens", "_NETBIRD_TOKENS_COMPLETE").source())
    return 0


@click.command(cls=Command, example="netbird-tokens version")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def version(as_json: bool) -> int:  # noqa: FBT001 - a flag
    """Print the version."""
    click.echo(f'{{"version": "{__version__}"}}' if as_json else f"netbird-tokens {__version__}")
    return 0


COMMANDS: Final = (snapshot, show, shards, report, explain, schema, completion, version)
