"""show, explain: what a saved plan says, and what a code means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reconciler.commands import renderings, saved
from reconciler.commands.desk import Desk
from reconciler.commands.output import Output, publish
from reconciler.core.reasons import Reason
from reconciler.errors import ExitCode, UsageError
from reconciler.reports import layout
from reconciler.reports.exits import EXITS
from reconciler.reports.lines import GROUPS
from reconciler.reports.text import WIDTH
from reconciler.source.codes import CODES
from reconciler.source.guess import closest

GUARDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_revokes": (
            "The plan removes more tokens than one run may. Allowed are at least one, at most `count`, and "
            "at most `percent` of the tokens that are ours; retirements, orphans and expired tokens do not "
            "count. If they are meant to go, name them with --allow-revoke NAME; if not, look at the file."
        ),
        "never_to_zero": (
            "The plan would leave the set without a single working token. Most often a file was cut off "
            "or a folder is the wrong one. To really empty a set, name every token with --allow-revoke."
        ),
        "live_view": (
            "The server lists no token at all, but sinks hold receipts of tokens that should work. More "
            "likely this is the wrong account or server than a mass deletion. What the file wants gone "
            "does not count: its receipts leave when the server, asked by id, has none. Check the URL; "
            "if the tokens are really gone, --allow-reissue NAME makes each anew."
        ),
        "registration": (
            "A sink was registered for this set by another server or principal. Seen from here, all its "
            "receipts would look like leftovers. If the move is meant, --accept-registration SINK."
        ),
        "reissue": (
            "A sink is new to this set, yet tokens of these names that we made are alive: their secrets "
            "are probably in another sink. Use that sink, `adopt` the tokens, or go on with new ones by "
            "--allow-reissue NAME."
        ),
    }
)


def show(desk: Desk, output: Output, path: Path) -> ExitCode:
    """A saved plan, as `plan` showed it. Says so, and exits 6, when its decisions were altered."""
    output.check()
    found = saved.read(path)
    altered = saved.is_altered(found)
    code = ExitCode.STALE if altered else ExitCode.OK
    code = publish(desk, renderings.of_plan(found, lambda: found, saved=True), output, code)
    if altered:
        desk.note(f"{path} was altered: its plan id does not fit, and apply would refuse it")
    return code


def explain(desk: Desk, columns: int | None, codes: Sequence[str]) -> ExitCode:
    """What reasons (`due`), guards, problems (`NB104`) or exit codes (`5`) mean; or all there are."""
    width = columns or WIDTH
    groups = _groups()
    meanings = {code: text for group in groups.values() for code, text in group.items()}
    for code in codes:
        if code not in meanings:
            near = closest(code, meanings)
            hint = f"did you mean {near!r}?" if near else "`netbird-tokens explain` lists all codes"
            raise UsageError(f"there is no code {code!r}", hint=hint)
    parts = ["\n".join(layout.wrapped(f"{code}: {meanings[code]}", width)) + "\n" for code in codes]
    if not codes:
        parts = [_listed(title, group, width) for title, group in groups.items()]
        parts.append("`netbird-tokens explain CODE` says more about each.")
    desk.show("\n".join(parts))
    return ExitCode.OK


def _groups() -> dict[str, dict[str, str]]:
    """Every code there is, by what it is about."""
    groups = {
        "Exit codes": {
            str(int(code)): f"{told.meaning}. {told.more}" for code, told in EXITS.items()
        }
    }
    groups |= {
        f"Reasons in a plan: {title.lower()}": {
            reason.code: reason.meaning for reason in Reason if reason.cause.value == cause
        }
        for cause, title in GROUPS.items()
        if cause
    }
    groups["Guards"] = dict(GUARDS)
    groups["Problems of any file"] = {k: v for k, v in CODES.items() if k.startswith("NB1")}
    groups["Problems of token files"] = {k: v for k, v in CODES.items() if k.startswith("NB2")}
    return groups


def _listed(title: str, codes: Mapping[str, str], width: int) -> str:
    """The codes of one group, each with the first sentence of its meaning."""
    column = layout.column(codes, 24)
    lines = [title]
    for code, meaning in codes.items():
        first = layout.wrapped(meaning.split(". ")[0].rstrip(".") + ".", width - column - 4)
        lines.extend(f"  {line}" for line in layout.beside(code, first, column, "  "))
    return "\n".join(lines) + "\n"
