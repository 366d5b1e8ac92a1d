"""What a webhook is sent (`schemas/notice.v1.schema.json`): counts and words of ours, and a link.

No name of a token and no text of a server is in it: chats show what they get, and names may come from
anybody. Who wants to know more follows the link, or reads the report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import Final, TypedDict

from reconciler.core.outcome import Status
from reconciler.reports.document import Tool
from reconciler.reports.ending import Report
from reconciler.reports.json import TOOL
from reconciler.reports.lines import EFFECTS

FORMAT_VERSION: Final = "1.0"
"""Minor: something was added. Major: something changed; readers refuse an unknown major."""
_LINK: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,1000}")
_SIGNS: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKS: Final = {
    "change": ":white_check_mark:",
    "failure": ":x:",
    "drift": ":warning:",
    "resolved": ":white_check_mark:",
}


class Event(StrEnum):
    """What is worth a notice."""

    CHANGE = "change"
    FAILURE = "failure"
    DRIFT = "drift"
    RESOLVED = "resolved"


class Notice(TypedDict):
    """One notice.

    Attributes:
        set: Empty where the files could not be read.
        done: How many actions of each kind were carried out.
        left: How many were not.
        drift: How many differences of each class there are.
        run_url: Page of the CI job; empty outside of one.
    """

    format: str
    format_version: str
    tool: Tool
    event: str
    set: str
    command: str
    exit_code: int
    done: dict[str, int]
    left: int
    drift: dict[str, int]
    change_id: str | None
    plan_id: str | None
    run_url: str
    message: str


def notice(event: Event, found: Report, drift: Collection[str], run_url: str) -> Notice:
    """A notice of a run; `drift`: the class of every difference."""
    plan, code = found["plan"], found["exit"]["code"]
    ended = Counter(
        each["action"] for each in found["results"] if each["status"] == Status.DONE.value
    )
    done = {action: ended[action] for action in EFFECTS if ended[action]}
    left = len(found["results"]) - sum(done.values())
    classes = dict(sorted(Counter(drift).items()))
    name = found.get("set", "")
    parts = [*_said(done, left), *(f"{count} {kind}" for kind, count in classes.items())]
    if event is Event.RESOLVED:
        parts = ["no drift any more"]
    if event is Event.FAILURE:
        parts.append(f"exit code {code}: {found['exit']['meaning']}")
    return {
        "format": "netbird-tokens/notice",
        "format_version": FORMAT_VERSION,
        "tool": TOOL,
        "event": event.value,
        "set": name,
        "command": found["command"],
        "exit_code": code,
        "done": done,
        "left": left,
        "drift": classes,
        "change_id": plan["change_id"] if plan else None,
        "plan_id": plan["plan_id"] if plan else None,
        "run_url": run_url if _LINK.fullmatch(run_url) else "",
        "message": f"NetBird tokens {name}: {found['command']}: {', '.join(parts)}".replace(
            " :", ":"
        ),
    }


def _said(done: dict[str, int], left: int) -> list[str]:
    counts = [f"{count} {action} done" for action, count in done.items()]
    return [*counts, *([f"{left} not done"] if left else [])]


def slack(of: Notice) -> dict[str, object]:
    """The same for an incoming webhook of Slack, or of what understands its format."""
    text = "".join(_SIGNS.get(sign, sign) for sign in of["message"])
    link = "".join(_SIGNS.get(sign, sign) for sign in of["run_url"])
    more = f" (<{link}|run>)" if link else ""
    return {"text": f"{_MARKS[of['event']]} {text}{more}"}
