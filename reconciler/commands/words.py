"""show, explain: what a plan or a code means."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.commands.desk import Desk
from reconciler.core.reasons import Reason
from reconciler.errors import ExitCode, UsageError
from reconciler.reports.escape import terminal
from reconciler.source.advice import closest
from reconciler.source.codes import CODES


def show(desk: Desk, path: Path) -> ExitCode:
    """A saved plan, a line per change."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        changes = document["changes"]
        head = f"{document['set']}  →  {document['target']['management_url']}  as of {document['as_of']}"
        lines = [
            f"  {change['action']:<9} {change['name']}   {change['reason']['text']}"
            for change in changes
            if change["action"] != "keep"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} is no plan", hint="name the file that `plan --out` wrote"
        ) from None
    desk.show(
        "\n".join(terminal(line) for line in [head, *lines, f"Plan id {document['plan_id']}"])
    )
    return ExitCode.OK


def explain(desk: Desk, code: str) -> ExitCode:
    """What a reason (`due`), a problem (`NB104`) or an exit code (`5`) means."""
    meanings = {reason.code: reason.meaning for reason in Reason}
    meanings |= {key: str(value) for key, value in CODES.items()}
    meanings |= {str(int(exit_code)): f"exit code {exit_code.name}" for exit_code in ExitCode}
    if code not in meanings:
        near = closest(code, meanings)
        raise UsageError(
            f"there is no code {code!r}", hint=f"did you mean {near!r}?" if near else ""
        )
    desk.show(f"{code}: {meanings[code]}")
    return ExitCode.OK
