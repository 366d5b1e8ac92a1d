"""A run as a stream of JSON lines (`schemas/events.v1.schema.json`), each written when it happens.

Every record has a `message` for people, so that a reader can pass on what it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from reconciler.reports import escape
from reconciler.reports.document import Plan, instant
from reconciler.reports.ending import Report, Result
from reconciler.reports.json import TOOL
from reconciler.reports.lines import counted

FORMAT_VERSION: Final = "1.0"
"""Minor: something was added. Major: something changed; readers refuse an unknown major."""

Event = Mapping[str, object]


def line(event: Event, now: datetime) -> str:
    """One record as it is written; `now` is this machine's clock."""
    kind, *rest = event.items()
    record = dict([kind, ("at", instant(now)), *rest])
    return escape.json(json.dumps(record, ensure_ascii=False)) + "\n"


def began(command: str) -> Event:
    """The first record of every stream: by which version the others are to be read."""
    return {
        "type": "version",
        "format": "netbird-tokens/events",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "command": command,
        "message": f"netbird-tokens {TOOL['version']}: {command}",
    }


def planned(plan: Plan) -> Event:
    """A plan was made, or the part of it that the command carries out."""
    return {
        "type": "plan",
        "set": plan["set"],
        "plan_id": plan["plan_id"],
        "change_id": plan["change_id"],
        "as_of": plan["as_of"],
        "complete": plan["complete"],
        "summary": plan["summary"],
        "message": f"plan for {plan['set']}: {counted(plan['summary'])}",
    }


def started(action: str, name: str, user: str) -> Event:
    """From here on the action may have had an effect."""
    return {
        "type": "action_started",
        "action": action,
        "name": name,
        "user": user,
        "message": f"{action} {name}: started",
    }


def finished(result: Result) -> Event:
    """What became of an action, also of one that was not started."""
    text = f" ({result['text']})" if result["text"] else ""
    said = f"{result['action']} {result['name']}: {result['status']}{text}"
    return {"type": "action_finished", **result, "message": said}


def ended(found: Report) -> Event:
    """The last record. Without it, the run was killed, or what reads this was."""
    told = found["exit"]
    stopped = f": {found['stopped']['message']}" if found["stopped"] else ""
    return {
        "type": "run_ended",
        "exit": told,
        "interrupted": found["interrupted"],
        "stopped": found["stopped"],
        "summary": found["summary"],
        "message": f"ended with exit code {told['code']}, {told['meaning']}{stopped}",
    }
