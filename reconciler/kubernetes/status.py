"""What an answer of an API server says when it is no object: a `Status` with a reason."""

from __future__ import annotations

from http import HTTPStatus

from reconciler.http import Answer, Json


def why_not(answer: Answer) -> str:
    """The reason in one word, such as `Conflict` or `AlreadyExists`; empty without one."""
    match answer.content:
        case Json({"kind": "Status", "reason": str(reason)}):
            return reason
        case _:
            return ""


def is_missing(answer: Answer, name: str) -> bool:
    """Whether the server says that this very object is not there.

    Any other 404 comes from a proxy, or from a server that has no such API: it tells nothing.
    """
    match answer:
        case Answer(
            status=HTTPStatus.NOT_FOUND,
            content=Json({"kind": "Status", "reason": "NotFound", "details": {"name": str(found)}}),
        ):
            return found == name
        case _:
            return False
