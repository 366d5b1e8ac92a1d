"""Commands whose help has its flags in sections and ends with an example."""

from __future__ import annotations

from typing import Any, Final

import click

OWN: Final = "Options"


class Option(click.Option):
    """A flag that belongs to a section of the help text."""

    def __init__(self, *args: Any, section: str = OWN, **more: Any) -> None:
        super().__init__(*args, **more)
        self.section = section


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
