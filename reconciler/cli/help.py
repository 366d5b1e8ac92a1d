"""Commands whose help has its flags in sections and ends with an example."""

from __future__ import annotations

import os
from typing import Any, Final

import click

OWN: Final = "Options"


class Option(click.Option):
    """A flag that belongs to a section of the help text.

    Attributes:
        narrows: Whether it holds a run to less. Its variable counts where it is empty, too: click takes
            that for none, so a pipeline whose approval got lost would carry out everything.
    """

    def __init__(self, *args: Any, section: str = OWN, narrows: bool = False, **more: Any) -> None:
        super().__init__(*args, **more)
        self.section = section
        self.narrows = narrows

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """What the variable of this flag says."""
        if self.narrows and os.environ.get(str(self.envvar)) == "":
            return ""
        return super().resolve_envvar_value(ctx)


class Command(click.Command):
    """A command with an example of its use.

    Attributes:
        example: What to type; tests run it.
    """

    def __init__(self, *args: Any, example: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.example = example

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own flags first, then those that it shares, a section each."""
        sections: dict[str, list[tuple[str, str]]] = {OWN: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(getattr(param, "section", OWN), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=32)

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            formatter.write(f"{'':>{formatter.current_indent}}{self.example}\n")


class Group(click.Group):
    """Commands of one kind, with an example of one of them; see `Command`."""

    def __init__(self, *args: Any, example: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.example = example
