"""list, inspect, create, revoke."""

from __future__ import annotations

from typing import Any, Final

import click

from reconciler.cli import options
from reconciler.cli.help import Command

_user = options.option(
    "--user-id", metavar="ID|NAME", help="Id, or name of a service user; else ourselves."
)


@click.command("list", cls=Command, example="netbird-tokens list --user-id ci-bot")
@_user
@options.server
@options.output
def list_(user_id: str | None, **values: Any) -> int:
    """List the live tokens of a user."""
    from reconciler.commands import tokens  # noqa: PLC0415 - `--help` stays light

    parts, output = options.parts_of(values), options.output_of(values)
    return tokens.list_tokens(parts, options.desk(), output, user_id)


@click.command(cls=Command, example="netbird-tokens inspect d1k2m3n4o5p6q7r8s9t0")
@click.argument("token", metavar="ID")
@_user
@options.server
@options.output
def inspect(token: str, user_id: str | None, **values: Any) -> int:
    """Show one live token."""
    from reconciler.commands import tokens  # noqa: PLC0415 - `--help` stays light

    parts, output = options.parts_of(values), options.output_of(values)
    return tokens.inspect(parts, options.desk(), output, token, user_id)


@click.command(
    cls=Command, example="netbird-tokens create --name laptop --expires-in 30 --show-once"
)
@options.option("--name", required=True, help="Name of the token.")
@options.option("--expires-in", type=click.IntRange(1, 365), default=90, show_default=True,
                metavar="DAYS", help="Whole days, 1 to 365.")  # fmt: skip
@_user
@options.option("--sink", help="Sink of the config that takes the secret.")
@options.option("--key", help="Key inside the sink; else derived from the name.")
@options.option("--show-once", is_flag=True, help="Print the secret to stdout instead; once.")
@options.server
@options.wait
def create(name: str, expires_in: int, user_id: str | None, **values: Any) -> int:
    """Make one token by hand, into a sink or shown once."""
    from reconciler.commands import create as by_hand  # noqa: PLC0415 - `--help` stays light

    sink, key, shown = values.pop("sink"), values.pop("key"), values.pop("show_once")
    if bool(sink) == shown:
        raise click.UsageError("say where the secret goes: --sink NAME, or --show-once")
    if not name:
        raise click.UsageError("--name is empty")
    wish = by_hand.Wish(name, expires_in, user_id, sink, key)
    return by_hand.create(options.parts_of(values), options.desk(), wish)


@click.command(cls=Command, example="netbird-tokens revoke d1k2m3n4o5p6q7r8s9t0")
@click.argument("tokens", metavar="ID...", nargs=-1, required=True)
@_user
@options.server
@options.yes
@options.wait
def revoke(tokens: tuple[str, ...], user_id: str | None, yes: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Revoke live tokens by id; shows them and asks first."""
    from reconciler.commands import revoke as by_hand  # noqa: PLC0415 - `--help` stays light

    return by_hand.revoke(options.parts_of(values), options.desk(), tokens, user_id, yes=yes)


COMMANDS: Final = (list_, inspect, create, revoke)
