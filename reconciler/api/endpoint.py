"""Which server we talk to, with which credential. Refuses every address that could leak it.

https only; plain http to this machine, or where an operator says `allow_http` (DESIGN §8). What
people paste from a browser or from the Terraform provider (`…/`, `…/api`) means the same server.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from reconciler.core.secret import Secret
from reconciler.errors import Unauthenticated, UsageError

_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*|[0-9a-f:.]*:[0-9a-f:.]*")
_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
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
        object.__setattr__(self, "url", _normal(self.url, allow_http=self.allow_http))
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


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine without asking a resolver."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _normal(url: str, *, allow_http: bool) -> str:
    parts = _split(url)
    host, port = _host(parts), _port(parts)
    # The text of a refused URL is not repeated: a password may stand in it.
    if parts.username is not None or parts.password is not None:
        raise UsageError("the management URL holds a user name or password", hint=_EXAMPLE)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise UsageError("the management URL has a `?` or `#` part", hint=_EXAMPLE)
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise UsageError(
            f"the management URL would send the credential to {host} unencrypted",
            hint=f"use https://{host}, or set `allow_http: true` in the config if you must",
        )
    prefix = parts.path.rstrip("/").removesuffix("/api").rstrip("/")
    if not _PATH.fullmatch(prefix):
        raise UsageError("the management URL has an unusual path", hint=_EXAMPLE)
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{port}{prefix}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("https", "http"):
        raise UsageError("the management URL does not begin with https://", hint=_EXAMPLE)
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise UsageError(
            "the management URL has no usable host",
            hint=_EXAMPLE + "; names with other letters need their xn-- form",
        )
    return host


def _port(parts: SplitResult) -> str:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError("the management URL has a bad port", hint="a port is 1 to 65535")
    return "" if port is None else f":{port}"
