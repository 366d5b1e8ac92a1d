"""Credentials that write themselves into one request.

They are auth objects, not headers of a session: requests then never looks for another credential,
and ours stands in no session, no repr and no log.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

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


class Certificate:
    """A client's certificate, with those above it, and its private key; both are PEM."""

    def __init__(self, chain: str, key: Secret) -> None:
        self._chain = chain
        self._key = key

    def load_into(self, context: ssl.SSLContext) -> None:
        """Present it in every connection of this context.

        Raises:
            UsageError: It is no certificate, or the key is not its own, or is encrypted.
        """
        try:
            with _read_once(self._chain) as chain, _read_once(self._key.reveal()) as key:
                context.load_cert_chain(chain, key, password="")
        except (OSError, ValueError) as error:  # one of OpenSSL is an OSError and quotes nothing
            raise UsageError(
                f"the client certificate and its key cannot be used: {type(error).__name__}",
                hint="do they belong together, both PEM, the key not encrypted?",
            ) from None


@contextmanager
def _read_once(text: str) -> Iterator[str]:
    """A path with this content. OpenSSL reads paths alone, and a private key belongs in no file."""
    reader, writer = os.pipe()
    try:
        content = text.encode()
        os.set_blocking(writer, False)
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            written = pipe.write(content) or 0
        if written < len(content):
            raise ValueError
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
