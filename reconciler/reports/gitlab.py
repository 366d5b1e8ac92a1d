"""What GitLab reads of a job: the counts in a merge request, and its code quality list."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Final

from reconciler.reports import escape
from reconciler.reports.ending import Report

_SEVERITY: Final = {"error": "major", "warning": "minor"}


def widget(found: Report) -> str:
    """`artifacts:reports:terraform`. Without a plan it lacks its keys: GitLab says that it failed."""
    plan = found["plan"]
    if plan is None:
        return "{}\n"
    summary = plan["summary"]
    counts = {
        "create": summary["create"],
        "update": summary["renew"] + summary["amend"],
        "delete": summary["revoke"],
    }
    return json.dumps(counts) + "\n"


def code_quality(found: Report, place: Callable[[str], str]) -> str:
    """`artifacts:reports:codequality`: the problems of the files.

    A fingerprint outlives a move of the line; `place` says how a file is called from the root of the
    repository.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    entries = []
    for each in found.get("problems", []):
        path = place(each["file"])
        what = (path, each["code"], each["message"])
        seen[what] += 1
        known_by = json.dumps([*what, seen[what]])
        entries.append(
            {
                "description": f"{each['message']}; {each['fix']}"
                if each["fix"]
                else each["message"],
                "check_name": each["code"],
                "fingerprint": hashlib.sha256(known_by.encode()).hexdigest(),
                "severity": _SEVERITY[each["severity"]],
                "location": {"path": path, "lines": {"begin": each["line"]}},
            }
        )
    return escape.json(json.dumps(entries, ensure_ascii=False, indent=1)) + "\n"
