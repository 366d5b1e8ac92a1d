"""The identity token of a job of GitHub Actions, which has to be fetched: no variable holds it.

What it is fetched with goes to the host that GitHub names beside it, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, SinkUnread, UsageError
from reconciler.http import Answer, Client, Header, Json, address_of
from reconciler.sinks.rest import Rest

_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
RIGHT: Final = "give the job `permissions: {id-token: write}`"


def may_fetch(env: Mapping[str, str]) -> bool:
    """Whether this is a job that may have an identity token."""
    return bool(env.get(_URL) and env.get(_TOKEN))


def fetched(env: Mapping[str, str], audience: str) -> str:
    """A token for this audience; empty: for GitHub's own, the URL of the repository's owner.

    Raises:
        SinkRefused: There is none.
    """
    try:
        address = address_of(env[_URL], f"the URL in {_URL}", RIGHT, query=True, allow_http=False)
    except UsageError as error:
        raise SinkRefused(error.message, hint=error.hint) from None
    client = Client(f"{address.origin}/", frozenset({"GET"}), is_loopback=address.is_loopback)
    rest = Rest("a token of GitHub Actions", client, Header(Secret(env[_TOKEN]), "Bearer"), RIGHT)
    wanted = f"audience={quote(audience, safe='')}" if audience else ""
    query = "&".join(filter(None, (address.query, wanted)))
    try:
        answer = rest.look(f"{address.path.lstrip('/')}?{query}")
    except SinkUnread as error:
        raise SinkRefused(error.message, hint=error.hint) from None
    finally:
        client.close()
    match answer:
        case Answer(status=200, content=Json({"value": str(token)})) if token:
            return token
        case _:
            raise SinkRefused(rest.unread(answer).message, hint=RIGHT)
