"""Which server we talk to, with which credential. Refuses every address that could leak it.

What people paste from a browser or from the Terraform provider (`…/`, `…/api`) means the same server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from reconciler.core.secret import Secret
from reconciler.errors import Unauthenticated, UsageError
from reconciler.http import address_of, is_loopback

_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
_NAME: Final = "the management URL"
_EXAMPLE: Final = "write it like https://api.netbird.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A management server and the credential for it.

    Attributes:
        url: Scheme, host, port and path prefix, without a trailing slash and without `/api`.
        credential: Our own personal access token.
        allow_http: Whether an operator accepts plain http beyond this machine.

    Raises:
        UsageError: The address is none that we would send a credential to.
        Unauthenticated: The credential is no NetBird token; nothing was sent.
    """

    url: str
    credential: Secret
    allow_http: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", server_of(self.url, allow_http=self.allow_http))
        if not self.credential.is_well_formed():
            # A certain 401 (netbird-api.md §4); what else it may be is no business of the server's.
            raise Unauthenticated(
                "the credential is no NetBird personal access token, so it was not sent",
                hint="a token is nbp_ and 36 letters and digits: is it cut off, or another key?",
            )

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def server_of(url: str, *, allow_http: bool) -> str:
    """The address as we write it, however it was written. Raises UsageError as an `Endpoint` does."""
    address = address_of(url, _NAME, _EXAMPLE, allow_http=allow_http)
    prefix = address.path.rstrip("/").removesuffix("/api").rstrip("/")
    if not _PATH.fullmatch(prefix):
        raise UsageError(f"{_NAME} has an unusual path", hint=_EXAMPLE)
    return address.origin + prefix
