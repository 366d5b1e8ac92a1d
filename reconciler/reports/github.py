"""What GitHub Actions reads: annotations of files, and the outputs of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reconciler.reports.ending import Report
from reconciler.reports.escape import terminal, workflow_property, workflow_text
from reconciler.reports.findings import Finding, findings
from reconciler.reports.lines import EFFECTS

MOST: Final = 10
"""Annotations of one level that GitHub shows for a step; it drops those that come later."""


def annotated(found: Report) -> list[Finding]:
    """At most ten of each level; where there are more, the tenth says how many."""
    shown: list[Finding] = []
    every = list(findings(found))
    for level in ("error", "warning"):
        of_level = [each for each in every if each.level == level]
        if len(of_level) > MOST:
            rest = len(of_level) - MOST + 1
            more = Finding("run", level, "more", f"and {rest} more; the log of this step has them")
            of_level = [*of_level[: MOST - 1], more]
        shown.extend(of_level)
    return shown


def as_given(file: str) -> str:
    """The name of a file where it was named from the root of the repository."""
    return file


def commands(shown: Sequence[Finding], place: Callable[[str], str] = as_given) -> Iterator[str]:
    """Each as a workflow command; nothing in it can be another one.

    `place` says how a file is called from the root of the repository.
    """
    for each in shown:
        properties = {"title": f"netbird-tokens: {each.title}"}
        if each.origin is not None:
            origin = each.origin
            properties |= {
                "file": place(origin["file"]),
                "line": str(origin["line"]),
                "col": str(origin["column"]),
            }
        said = ",".join(
            f"{key}={workflow_property(value)}" for key, value in sorted(properties.items())
        )
        yield f"::{each.level} {said}::{workflow_text(each.text)}"


def outputs(found: Report) -> str:
    """Lines for the file that `GITHUB_OUTPUT` names. Without a plan its counts are unknown, so empty."""
    plan = found["plan"]
    values = dict.fromkeys(("changes", "creates", "renews", "revokes", "change_id", "plan_id"), "")
    if plan is not None:
        summary = plan["summary"]
        values = {
            "changes": str(sum(summary[action] for action in EFFECTS)),
            "creates": str(summary["create"]),
            "renews": str(summary["renew"]),
            "revokes": str(summary["revoke"]),
            "change_id": plan["change_id"],
            "plan_id": plan["plan_id"],
        }
    values["exit_code"] = str(found["exit"]["code"])
    return "".join(f"{name}={terminal(value)}\n" for name, value in values.items())
