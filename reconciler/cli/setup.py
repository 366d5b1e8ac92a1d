"""init, validate, scan, import, doctor, unlock, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from reconciler.cli import options
from reconciler.cli.help import Command


@click.command(cls=Command, example="netbird-tokens init")
@click.argument("folder", default=".", type=options.File(file_okay=False, exists=True))
def init(folder: Path) -> int:
    """Write a commented token file and config."""
    from reconciler.commands.init import init as write  # noqa: PLC0415 - `--help` stays light

    return write(options.desk(), folder)


@click.command(cls=Command, example="netbird-tokens validate tokens.yaml")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=options.File(exists=True))
@options.files
@options.config
@options.only_reports
def validate(paths: tuple[Path, ...], **values: Any) -> int:
    """Check the files offline: schema, meaning, pasted secrets.

    Each FILE, also a config, stands for the whole set that it is of.
    """
    from reconciler.commands import validate as command  # noqa: PLC0415 - `--help` stays light

    parts, output = options.parts_of(values), options.output_of(values)
    sets = command.sets_of(paths, parts.where, parts.env) if paths else [parts]
    return command.validate(sets, options.desk(), output)


@click.command(cls=Command, example="netbird-tokens scan tokens.yaml")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=options.File())
def scan(paths: tuple[Path, ...]) -> int:
    """Look for real NetBird tokens in files of any kind; offline.

    Says where one stands, never what it is.
    """
    from reconciler.commands.scan import scan as look  # noqa: PLC0415 - `--help` stays light

    return look(options.desk(), paths)


@click.command(
    "import", cls=Command, example="netbird-tokens import --user-id ci-bot > tokens.yaml"
)
@options.option("--user-id", "users", multiple=True, metavar="ID|NAME",
                help="Id, or name of a service user; else ourselves. Repeatable.")  # fmt: skip
@options.option("--name", default="imported", show_default=True, help="Name of the new set.")
@options.server
def import_(users: tuple[str, ...], name: str, **values: Any) -> int:
    """Print a token file for the live tokens; adopts them, replaces none."""
    from reconciler.commands import adoption  # noqa: PLC0415 - `--help` stays light

    return adoption.import_tokens(options.parts_of(values), options.desk(), users, name)


@click.command(cls=Command, example="netbird-tokens doctor --show-config")
@options.files
@options.server
@options.option("--show-config", is_flag=True, help="Print each setting and where it came from.")
def doctor(show_config: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Check server, credential, role, clock, sinks and lock."""
    from reconciler.commands import setup  # noqa: PLC0415 - `--help` stays light

    return setup.doctor(options.parts_of(values), options.desk(), show_config=show_config)


@click.command(cls=Command, example="netbird-tokens unlock 1d8f6a0e-5b1c-4c62-9a53-0f6b7d1c9e55")
@click.argument("lock_id", metavar="ID")
@options.files
@options.config
@options.yes
def unlock(lock_id: str, yes: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Free the lock of a run that is gone; asks first.

    ID is printed by the run that finds the lock held. Under another id nothing is freed.
    """
    from reconciler.commands import locks  # noqa: PLC0415 - `--help` stays light

    return locks.unlock(options.parts_of(values), options.desk(), lock_id, yes=yes)


@click.command(cls=Command, example="netbird-tokens demo")
@options.option("--fast", is_flag=True, help="Do not pause for reading.")
def demo(fast: bool) -> int:  # noqa: FBT001 - a flag
    """Tell the whole story on an emulated server; no account needed."""
    from reconciler.commands.demo import demo as play  # noqa: PLC0415 - `--help` stays light

    return play(options.desk(), fast=fast)


COMMANDS: Final = (init, validate, scan, import_, doctor, unlock, demo)
