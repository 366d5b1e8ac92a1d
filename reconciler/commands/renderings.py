"""What the commands that look have found, in every format that shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from reconciler.commands.output import Renderers
from reconciler.core.plan import Plan
from reconciler.reports import document, json, markdown, run_text, tables, text
from reconciler.reports.ending import Report
from reconciler.reports.formats import FORMATS, Place
from reconciler.reports.tables import Table


def of_plan(found: document.Plan, whole: Callable[[], document.Plan], *, saved: bool) -> Renderers:
    """A plan, just made or read from a file; `whole` is what machines get."""
    return {
        "text": lambda style: text.plan(found, style, saved=saved),
        "json": lambda _: json.dumps(whole()),
        "markdown": lambda _: markdown.plan(found, saved=saved),
    }


def of_drift(
    found: Plan, shown: document.Plan, drifted: list[tuple[str, document.Change]]
) -> Renderers:
    """What differs out of band."""
    return {
        "text": lambda style: text.drift(drifted, shown, style),
        "json": lambda _: json.dumps(json.drift_document(found, drifted)),
        "markdown": lambda style: markdown.drift(
            shown, _after_gaps(shown, tables.drift(drifted, shown, style))
        ),
    }


def of_status(shown: document.Plan) -> Renderers:
    """Each entry and its token."""
    return {
        "text": lambda style: "\n\n".join(
            [*text.gaps(shown, style), tables.status(shown, style).text(style)]
        ),
        "json": lambda _: json.dumps(json.detailed(shown)),
        "markdown": lambda style: _after_gaps(shown, tables.status(shown, style)),
    }


def of_run(found: Report, place: Place, now: datetime) -> Renderers:
    """What became of a run; `place` is where it ran, `now` this machine's clock."""
    others = {
        name: lambda _, render=render: render(found, place, now) for name, render in FORMATS.items()
    }
    return {
        "text": lambda style: run_text.report(found, style),
        "json": lambda _: json.dumps(json.detailed_report(found)),
        "markdown": lambda _: markdown.report(found),
        **others,
    }


def _after_gaps(found: document.Plan, table: Table) -> str:
    return "".join(f"{gap}\n\n" for gap in markdown.gaps(found)).lstrip("\n") + table.markdown()
