"""Credentials that write themselves into one request.

They are auth objects, not headers of a session: requests then never looks for another credential,
and ours stands in no session, no repr and no log.
"""

from __future__ import annotations

import base64

from requests import PreparedRequest
from requests.auth import AuthBase

from reconciler.core.secret import Secret
from reconciler.errors import UsageError

Auth = AuthBase
"""Whatever writes a credential into a request."""


class Header(AuthBase):
    """A secret in a header, behind a scheme such as `Token` or `Bearer` if there is one."""

    def __init__(self, secret: Secret, scheme: str = "", name: str = "Authorization") -> None:
        self._secret = secret
        self._scheme = scheme
        self._name = name

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        value = f"{self._scheme} {self._secret.reveal()}".lstrip()
        if not (value.isascii() and value.isprintable()):
            # Left alone, http.client would refuse it, too, and quote it in the error.
            raise UsageError(
                "a credential holds characters that cannot be sent, so it was not sent",
                hint="is there a line break in it, or is it another file?",
            )
        request.headers[self._name] = value
        return request


class Basic(AuthBase):
    """User name and password."""

    def __init__(self, user: str, password: Secret) -> None:
        self._user = user
        self._password = password

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        pair = f"{self._user}:{self._password.reveal()}".encode(errors="surrogateescape")
        request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return request
