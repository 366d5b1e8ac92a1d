"""Telling a webhook of what people should know: a change, a failure, drift that is new, drift that ended.

What was told of drift is in a file that the config may name. It is no state of the tokens: what it says
decides nothing but whether to send, and without it drift is told each time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from reconciler.commands.output import write
from reconciler.core.outcome import Status
from reconciler.errors import ExitCode, Unwritten
from reconciler.reports.document import Change
from reconciler.reports.ending import Report
from reconciler.reports.escape import terminal
from reconciler.reports.notice import Event, Notice, notice, slack
from reconciler.surroundings import job_of
from reconciler.webhook import Webhook
from reconciler.wiring import Parts

_IN_ORDER: Final = (ExitCode.OK, ExitCode.DIFFERENCES)
_FORMAT: Final = "netbird-tokens/notified"

Drift = Sequence[tuple[str, Change]]


@dataclass(frozen=True, slots=True)
class Notifier:
    """Whom to tell, and what was told before.

    Attributes:
        webhook: None: the variable that holds its URL is not set.
        state: The file that remembers what was told of drift.
    """

    webhook: Webhook | None
    url_env: str
    is_slack: bool
    state: Path | None
    run_url: str
    drift: list[tuple[str, Change]] = field(default_factory=list)

    def tell(self, found: Report) -> str:
        """Tell what this run is worth; why that did not succeed, else empty."""
        looked = found["command"] == "drift"
        is_whole = looked and found["exit"]["code"] in _IN_ORDER and found["plan"] is not None
        told = self._told(found) if is_whole else frozenset()
        now = frozenset(map(_known_by, self.drift))
        event = _of_drift(now, told) if is_whole else _of_run(found)
        if event is not None:
            classes = [kind for kind, _ in self.drift]
            if trouble := self._send(notice(event, found, classes, self.run_url)):
                return trouble
        if is_whole and self.state is not None and now != told:
            return self._remember(found, now)
        return ""

    def _send(self, what: Notice) -> str:
        if self.webhook is None:
            return f"the variable {self.url_env} with the webhook's URL is not set"
        return self.webhook.send(slack(what) if self.is_slack else dict(what))

    def _told(self, found: Report) -> frozenset[str]:
        """What is known to have been told of a set; nothing where nobody remembers."""
        known = self._remembered().get(_set(found), [])
        return frozenset(map(str, known)) if isinstance(known, list) else frozenset()

    def _remembered(self) -> dict[str, object]:
        try:
            document = json.loads(self.state.read_text("utf-8")) if self.state else {}
        except (OSError, ValueError, RecursionError):
            return {}
        known = document.get("drift") if isinstance(document, dict) else None
        return known if isinstance(known, dict) else {}

    def _remember(self, found: Report, now: frozenset[str]) -> str:
        drift = {**self._remembered(), _set(found): sorted(now)}
        document = {"format": _FORMAT, "format_version": "1.0", "drift": drift}
        try:
            write(self.state or Path(), json.dumps(document, indent=1) + "\n")
        except Unwritten as error:
            return error.message
        return ""


def notifier(parts: Parts) -> Notifier | None:
    """Whom the config wants to be told. Raises UsageError if that address may not be used."""
    config = parts.config.notify
    if config is None:
        return None
    url = config.url or parts.env.get(config.url_env, "")
    return Notifier(
        webhook=Webhook(url, allow_http=parts.config.allow_http) if url else None,
        url_env=config.url_env,
        is_slack=config.format == "slack",
        state=parts.config.base / config.state if config.state else None,
        run_url=job_of(parts.env).url,
    )


def with_drift(of: Notifier | None, found: Drift) -> Notifier | None:
    """The same, once it is known what differs."""
    return None if of is None else replace(of, drift=list(found))


def said(trouble: str) -> str:
    """What people read of a notice that was not sent."""
    return f"the notice was not sent: {terminal(trouble)}\n  try: mend `notify` in the config, or its server"


def _of_run(found: Report) -> Event | None:
    if found["interrupted"]:
        return None  # who did that knows it
    if found["exit"]["code"] not in _IN_ORDER:
        return Event.FAILURE
    done = any(each["status"] == Status.DONE.value for each in found["results"])
    return Event.CHANGE if done else None


def _of_drift(now: frozenset[str], told: frozenset[str]) -> Event | None:
    if now - told:
        return Event.DRIFT
    return Event.RESOLVED if told and not now else None


def _known_by(drifted: tuple[str, Change]) -> str:
    """A difference by what it is about; its words may change from day to day."""
    kind, change = drifted
    what = [kind, change["user"]["id"], change["name"], sorted(change["tokens"])]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _set(found: Report) -> str:
    return found["plan"]["set"] if found["plan"] else ""
