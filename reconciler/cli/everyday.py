"""plan, apply, renew, rotate, drift, status."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from reconciler.cli import options
from reconciler.cli.help import Command


@click.command(cls=Command, example="netbird-tokens plan --detailed-exitcode")
@options.files
@options.server
@options.run_output
@options.exceptions
@options.option("--out", type=options.File(dir_okay=False),
                help="Save the plan for `apply PLAN`.")  # fmt: skip
@options.option("--base", metavar="REF",
                help="Tell what differs from this commit apart, as in --base origin/main.")  # fmt: skip
@options.option("--live", type=options.File(dir_okay=False), metavar="SNAPSHOT",
                help="Plan from this snapshot, without credential and network.")  # fmt: skip
@options.option("--detailed-exitcode", is_flag=True, help="Exit 2 if anything would change.")
def plan(out: Path | None, base: str | None, live: Path | None, **values: Any) -> int:
    """Show what apply would do; sends GETs only."""
    from reconciler.commands import everyday  # noqa: PLC0415 - `--help` stays light

    wish = everyday.Wish(out, live, base, values.pop("detailed_exitcode"))
    parts, output = options.parts_of(values), options.output_of(values)
    return everyday.plan(parts, options.desk(), output, options.asked_of(values), wish)


@click.command(cls=Command, example="netbird-tokens apply")
@click.argument("saved", metavar="[PLAN]", required=False,
                type=options.File(exists=True, dir_okay=False))  # fmt: skip
@options.files
@options.server
@options.run_output
@options.exceptions
@options.option("--approved-change", metavar="ID", narrows=True,
                help="Carry on only if the file causes this change, and nothing else.")  # fmt: skip
@options.option("--shard", metavar="I/N", narrows=True,
                help="Only this part of PLAN, as in 2/4; auto/4 where the job knows its number.")  # fmt: skip
@options.yes
@options.wait
def apply(saved: Path | None, approved_change: str | None, yes: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Create, renew and revoke; asks first.

    With PLAN, a file that `plan --out` wrote, exactly that is carried out, or nothing (exit 6).
    """
    from reconciler.commands import everyday, shards  # noqa: PLC0415 - `--help` stays light

    part = values.pop("shard")
    parts, output = options.parts_of(values), options.output_of(values)
    shard = shards.shard_of(part, parts.env) if part is not None else None
    consent = everyday.Consent(yes, saved, approved_change, shard)
    return everyday.apply(parts, options.desk(), output, options.asked_of(values), consent)


@click.command(cls=Command, example="netbird-tokens renew --yes")
@options.files
@options.server
@options.run_output
@options.yes
@options.wait
def renew(yes: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Carry out only due renewals and retirements; for a schedule."""
    from reconciler.commands import everyday  # noqa: PLC0415 - `--help` stays light

    parts, output = options.parts_of(values), options.output_of(values)
    return everyday.renew(parts, options.desk(), output, yes=yes)


@click.command(
    cls=Command, example="netbird-tokens rotate terraform --reason 'laptop lost' --compromised"
)
@click.argument("rotate", metavar="NAME...", nargs=-1, required=True)
@options.files
@options.server
@options.run_output
@options.option("--reason", required=True, help="Why; stands in the plan and the report.")
@options.option("--compromised", is_flag=True,
                help="Revoke the old token as soon as the new secret is stored.")  # fmt: skip
@options.yes
@options.wait
def rotate(yes: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Replace the named tokens now.

    NAME is that of an entry; where two users have one of this name, USER/NAME.
    """
    from reconciler.commands import everyday  # noqa: PLC0415 - `--help` stays light

    parts, output = options.parts_of(values), options.output_of(values)
    return everyday.rotate(parts, options.desk(), output, options.asked_of(values), yes=yes)


@click.command(cls=Command, example="netbird-tokens drift --blame")
@options.files
@options.server
@options.run_output
@options.option("--fail-on", metavar="CLASS,...",
                help="Exit 2 for these classes alone. Default: all but `due`.")  # fmt: skip
@options.option("--blame", is_flag=True, help="Add what the audit log says: who and when.")
def drift(fail_on: str | None, blame: bool, **values: Any) -> int:  # noqa: FBT001 - a flag
    """Show what changed behind the file's back; exit 2 if anything did.

    A renewal that is due is no drift.
    """
    from reconciler.commands import drift as command  # noqa: PLC0415 - `--help` stays light

    alarm = command.Alarm(command.classes(fail_on) if fail_on else command.USUAL, blame)
    parts, output = options.parts_of(values), options.output_of(values)
    return command.drift(parts, options.desk(), output, alarm)


@click.command(cls=Command, example="netbird-tokens status")
@options.files
@options.server
@options.run_output
def status(**values: Any) -> int:
    """Show every token: days left, next renewal, last use."""
    from reconciler.commands import everyday  # noqa: PLC0415 - `--help` stays light

    parts, output = options.parts_of(values), options.output_of(values)
    return everyday.status(parts, options.desk(), output)


COMMANDS: Final = (plan, apply, renew, rotate, drift, status)
