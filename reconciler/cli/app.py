"""The command group: help grouped by what people come for, the commands of each group."""

from __future__ import annotations

from typing import Final

import click

from reconciler import __version__
from reconciler.cli import automation, everyday, setup, tokens

_SECTIONS: Final = {
    "Everyday": everyday.COMMANDS,
    "Single tokens": tokens.COMMANDS,
    "Setup": setup.COMMANDS,
    "Automation": automation.COMMANDS,
}
_EXAMPLES: Final = [
    ("netbird-tokens init", "write the files to begin with"),
    ("netbird-tokens plan", "what would change"),
    ("netbird-tokens apply", "change it, after a question"),
    ("netbird-tokens demo", "the whole story, without an account"),
]


class _Grouped(click.Group):
    """A group whose help has a section for each intent."""

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(command.name or "", command.get_short_help_str(90)) for command in commands]
                )

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            formatter.write_dl(_EXAMPLES)
        formatter.write_paragraph()
        formatter.write_text(
            "Each flag `--some-flag` is also NETBIRD_TOKENS_SOME_FLAG in the environment. "
            "`netbird-tokens explain` lists every exit code, reason and problem code."
        )


@click.group(
    cls=_Grouped,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", message="netbird-tokens %(version)s")
@click.pass_context
def app(ctx: click.Context) -> None:
    """NetBird personal access tokens as code.

    A YAML file lists named tokens and their expirations; `plan` shows what differs from the live
    ones, `apply` creates, renews and revokes, and writes each new secret to a sink.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _commands in _SECTIONS.values():
    for _command in _commands:
        app.add_command(_command)
