"""What is sent to write Secrets, each on condition that nothing changed, and what the answers mean.

- Each place has a field manager of its own, `netbird-tokens/FIELD`. So an apply carries one field and its
  receipt, moves nobody else's, and `kubectl get -o yaml --show-managed-fields` says who has what.
- It is forced: who may be written over was decided by the plan, and the resourceVersion says that what we
  looked at is still there.
- An apply makes what is not there, even where it names a resourceVersion; only a uid keeps it from that.
  So each names the uid, and a new Secret is first made empty, which succeeds once.
- What is removed is removed by name (a merge patch): an apply that leaves a field out keeps it where
  somebody else, such as a tool that restores backups, has it for his own, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from reconciler.errors import SinkRefused, SinkUnsure
from reconciler.http import Answer, Json
from reconciler.kubernetes import is_missing, why_not
from reconciler.sinks.kubernetes.reader import LABEL, Held
from reconciler.sinks.rest import Rest

MANAGER: Final = "netbird-tokens"
MADE: Final = {"app.kubernetes.io/managed-by": MANAGER}
"""On what we made, so that we may remove it when it is empty."""
REHEARSAL: Final = {"dryRun": "All"}
_FOR_GOOD: Final[Mapping[str, str]] = {}
_APPLY: Final = {"Content-Type": "application/apply-patch+yaml"}
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}
_STOPPED: Final = ("Internal error occurred: failed calling webhook ", 'admission webhook "')
_HINTS: Final[dict[int, str]] = {
    HTTPStatus.NOT_FOUND: "is there such a namespace?",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "server-side apply needs Kubernetes 1.22 or newer",
}


def declines(answer: Answer) -> bool:
    """Admission comes before anything is stored: what it stops is not written, whatever the code."""
    match answer.content:
        case Json({"kind": "Status", "status": "Failure", "message": str(said)}):
            return said.startswith(_STOPPED)
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Part:
    """What one field manager has: annotations, and the field that they tell of."""

    manager: str
    annotations: Mapping[str, str]
    data: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class SecretWriter:
    """Writes. Raises SinkRefused, or SinkUnsure where a write may have been carried out.

    Attributes:
        rest: Can POST, PATCH and DELETE Secrets of one namespace, and nothing else.
    """

    rest: Rest

    def make(self, name: str, query: Mapping[str, str] = _FOR_GOOD) -> None:
        """An empty Secret, if there is none; so whatever becomes of it, nothing of ours was written."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": {**MADE, LABEL: "true"}},
            "type": "Opaque",
        }
        try:
            answer = self.rest.send("POST", _query({"fieldManager": MANAGER, **query}), body)
        except SinkUnsure as error:
            raise SinkRefused(error.message, hint=error.hint) from None
        if answer.status != HTTPStatus.CREATED and why_not(answer) != "AlreadyExists":
            raise self._refused(answer)

    def apply(
        self, name: str, held: Held | None, part: Part, query: Mapping[str, str] = _FOR_GOOD
    ) -> bool:
        """Server-side apply; whether the Secret was still what we looked at."""
        about: dict[str, object] = {
            "name": name,
            "labels": {LABEL: "true"},
            "annotations": dict(part.annotations),
        }
        if held is not None:
            about |= {"uid": held.uid, "resourceVersion": held.version}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": about, "data": dict(part.data)}
        manager = {"fieldManager": _manager(part.manager), "force": "true"}
        return self._patch(name, body, _APPLY, {**manager, **query})

    def take_out(self, held: Held, annotation: str, name: str, *, label: bool) -> bool:
        """Remove a field and its receipt, and our label if that was the last one; as `apply`."""
        about: dict[str, object] = {
            "resourceVersion": held.version,
            "annotations": {annotation: None},
            **({"labels": {LABEL: None}} if label else {}),
        }
        body = {"metadata": about, "data": {name: None}}
        return self._patch(held.name, body, _MERGE, {"fieldManager": _manager(name)})

    def _patch(
        self,
        name: str,
        body: Mapping[str, object],
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> bool:
        answer = self.rest.send("PATCH", f"/{quote(name)}{_query(query)}", body, headers)
        if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
            return True
        if _is_passing(answer) or is_missing(answer, name):
            return False
        raise self._refused(answer)

    def remove(self, name: str, options: Mapping[str, object]) -> bool:
        """Remove a Secret; whether it is gone, not only another one by now."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        answer = self.rest.send("DELETE", f"/{quote(name)}", body)
        if answer.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED) or is_missing(answer, name):
            return True
        if _is_passing(answer):
            return False
        raise self._refused(answer)

    def _refused(self, answer: Answer) -> SinkRefused:
        error = self.rest.refused(answer)
        return SinkRefused(error.message, hint=error.hint or _HINTS.get(answer.status, ""))


def _is_passing(answer: Answer) -> bool:
    """Whether somebody else was faster. Admission may say `Conflict`, too, and will say it again."""
    return why_not(answer) == "Conflict" and not declines(answer)


def _manager(part: str) -> str:
    return f"{MANAGER}/{part}"


def _query(fields: Mapping[str, str]) -> str:
    return f"?{urlencode(fields)}"
