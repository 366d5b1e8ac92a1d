"""The Lease of a lock: what it says, and what is written into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from reconciler.http import Answer, Json, Outcome
from reconciler.kubernetes import is_missing
from reconciler.locks.holder import Holder, holder_of

GROUP: Final = "coordination.k8s.io"
HOLDER: Final = "netbird-tokens/holder"
"""The annotation that says more than an id."""
Change = Mapping[str, Mapping[str, object]]
"""A merge patch of `metadata` and `spec`."""
RELEASED: Final[Change] = {
    "metadata": {"annotations": {HOLDER: None}},
    "spec": dict.fromkeys(
        ("holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime"), None
    ),
}


@dataclass(frozen=True, slots=True)
class Lease:
    """What the server showed; without a version there is no Lease yet.

    Attributes:
        now: The server's time when it did, UTC.
    """

    now: datetime | None
    version: str | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    spec: Mapping[str, object] = field(default_factory=dict)

    @property
    def named(self) -> str:
        """The id that it bears; empty without one."""
        found = self.spec.get("holderIdentity")
        return found if isinstance(found, str) else ""

    @property
    def holder(self) -> Holder | None:
        """Who holds it; None if nobody does, or its time has passed."""
        if not self.named or self._is_over():
            return None
        said = holder_of(_json(self.about.get(HOLDER)))
        return said if said.id == self.named else Holder(self.named)

    def taken_by(self, me: Holder, lasts: timedelta | None) -> Change:
        """The change that makes it ours, for so long."""
        now = None if self.now is None else _micro(self.now)
        before = self.spec.get("leaseTransitions")
        spec = {
            "holderIdentity": me.id,
            "leaseDurationSeconds": lasts and int(lasts.total_seconds()),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": (before if isinstance(before, int) else 0) + 1,
        }
        return {"metadata": {"annotations": {HOLDER: json.dumps(me.document())}}, "spec": spec}

    def renewed(self) -> Change:
        """The change that makes its time begin anew."""
        now = None if self.now is None else _micro(self.now)
        return {"metadata": {}, "spec": {"renewTime": now}}

    def _is_over(self) -> bool:
        match self.spec:
            case {"leaseDurationSeconds": int(seconds), "renewTime": str(renewed)} if self.now:
                return _time(renewed) + timedelta(seconds=seconds) < self.now
            case _:
                return False


def lease_in(outcome: Outcome, name: str) -> Lease | None:
    """What an answer says of the Lease of this name; None if it says nothing."""
    match outcome:
        case Answer(
            status=HTTPStatus.OK,
            content=Json(
                {"metadata": {"resourceVersion": str(version), **about}, "spec": dict(spec)}
            ),
        ):
            return Lease(outcome.date, version, _mapping(about.get("annotations")), spec)
        case Answer() if is_missing(outcome, name):
            return Lease(outcome.date)
        case _:
            return None


def _mapping(found: object) -> Mapping[str, object]:
    return found if isinstance(found, dict) else {}


def _json(text: object) -> object:
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return None


def _time(written: str) -> datetime:
    """A time that is none is one that has not passed."""
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC) - timedelta(days=36500)


def _micro(moment: datetime) -> str:
    """The only form that a Lease takes: to the microsecond, `Z` at the end."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
