"""The command line. `main` is the one place that exits."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from reconciler.errors import ExitCode, InputError, NetbirdTokensError


def main() -> None:
    """The console script."""
    # A run reads much, keeps all of it, and ends: the collector would walk through it again and again
    # and find next to nothing, for a third of the time of a large plan.
    gc.set_threshold(100_000, 50, 100)
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises for an expected failure."""
    import click  # noqa: PLC0415 - kept beside its use, so that importing the package stays free

    from reconciler.cli.app import app  # noqa: PLC0415 - same

    try:
        return int(
            app.main(args=list(argv), prog_name="netbird-tokens", standalone_mode=False) or 0
        )
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return ExitCode.USAGE
    except NetbirdTokensError as error:
        _say(_told(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left; nothing more can be said
        return ExitCode.ERROR


def _told(error: NetbirdTokensError) -> str:
    if isinstance(error, InputError):
        return "\n\n".join([*map(str, error.problems), error.message])
    return f"error: {error.message}" + (f"\n  try: {error.hint}" if error.hint else "")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
