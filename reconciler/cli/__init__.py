"""The command line. `main` is the one place that exits."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reconciler.errors import ExitCode, InputError, NetbirdTokensError


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises for an expected failure."""
    import click  # noqa: PLC0415 - kept beside its use, so that importing the package stays free

    from reconciler.cli.app import app  # noqa: PLC0415 - same

    try:
        code = app.main(args=list(argv), prog_name="netbird-tokens", standalone_mode=False)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.Abort:
        _say("interrupted; nothing was changed")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return ExitCode.USAGE
    except InputError as error:
        _say("\n\n".join(map(str, error.problems)))
        _say(f"\n{error.message}")
        return error.exit_code
    except NetbirdTokensError as error:
        _say(f"error: {error.message}")
        if error.hint:
            _say(f"  try: {error.hint}")
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left; nothing more can be said
        return ExitCode.ERROR
    except KeyboardInterrupt:
        _say("interrupted")
        return ExitCode.INTERRUPTED
    return int(code or 0)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
