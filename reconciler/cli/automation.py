"""show, explain, schema, completion, version."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from reconciler import __version__
from reconciler.cli import options

SCHEMAS: Final = ("tokenset", "config", "plan", "report")


@click.command()
@click.argument("plan", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def show(plan: Path) -> int:
    r"""Show a plan that `plan --out` saved.

    \b
    Example:
      netbird-tokens show plan.json
    """
    from reconciler.commands import words  # noqa: PLC0415 - `--help` stays light

    return words.show(options.desk(), plan)


@click.command()
@click.argument("code")
def explain(code: str) -> int:
    r"""Explain a reason, a problem code, or an exit code.

    \b
    Example:
      netbird-tokens explain secret-stale
    """
    from reconciler.commands import words  # noqa: PLC0415 - `--help` stays light

    return words.explain(options.desk(), code)


@click.command()
@click.argument("name", type=click.Choice(SCHEMAS), default="tokenset")
def schema(name: str) -> int:
    r"""Print a JSON Schema.

    \b
    Example:
      netbird-tokens schema tokenset
    """
    from reconciler.source.schema import schema_text  # noqa: PLC0415 - `--help` stays light

    click.echo(schema_text(f"{name}.v1"), nl=False)
    return 0


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    r"""Print a completion script.

    \b
    Example:
      source <(netbird-tokens completion bash)
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - seldom needed

    kind: Any = get_completion_class(shell)
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "netbird-tokens", "_NETBIRD_TOKENS_COMPLETE").source())
    return 0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def version(as_json: bool) -> int:  # noqa: FBT001 - a flag
    r"""Print the version.

    \b
    Example:
      netbird-tokens version
    """
    click.echo(f'{{"version": "{__version__}"}}' if as_json else f"netbird-tokens {__version__}")
    return 0


COMMANDS: Final = (show, explain, schema, completion, version)
