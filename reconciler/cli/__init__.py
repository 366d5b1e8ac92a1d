"""The command line. `main` is the one place that exits."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Sequence

from reconciler.cli.streams import secure
from reconciler.errors import ExitCode, InputError, NetbirdTokensError


def main() -> None:
    """The console script."""
    # A run reads much, keeps all of it, and ends: the collector would walk through it again and again
    # and find next to nothing, for a third of the time of a large plan.
    gc.set_threshold(100_000, 50, 100)
    out = secure()
    code = run(sys.argv[1:])
    out.flush()
    sys.exit(ExitCode.ERROR if out.lost and code == ExitCode.OK else code)


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
        said = io.StringIO()
        error.show(file=said)
        _say(said.getvalue().rstrip("\n"))
        return ExitCode.USAGE
    except NetbirdTokensError as error:
        _say(_told(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as end:
        stop = end.__cause__ or end  # click wraps it
        code = getattr(stop, "code", ExitCode.INTERRUPTED)
        _say("\n".join(["interrupted", *_next(code)]))
        return code


def _told(error: NetbirdTokensError) -> str:
    from reconciler.reports.escape import terminal  # noqa: PLC0415 - only a failure needs it
    from reconciler.source.problems import told  # noqa: PLC0415 - same

    if isinstance(error, InputError):
        return "\n\n".join([*told(error.problems), error.message])
    hint = [f"  try: {terminal(error.hint)}"] if error.hint else []
    return "\n".join([f"error: {terminal(error.message)}", *hint, *_next(error.exit_code)])


def _next(code: ExitCode) -> list[str]:
    """The last line of a run that may simply be run again."""
    from reconciler.reports.exits import EXITS  # noqa: PLC0415 - see _told

    return [EXITS[code].next] if EXITS[code].retry else []


def _say(text: str) -> None:
    from reconciler.cli.options import desk  # noqa: PLC0415 - see _told

    desk().note(text)
