"""Addresses that may be sent a credential: https, or plain http to this machine (DESIGN §8).

The text of a refused address is never repeated: a password may stand in it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import UsageError

_PORTS: Final = {"https": 443, "http": 80}
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send requests.

    Attributes:
        origin: Scheme, host and port, as in `https://netbird.example:8443`.
        host: Lower case; an IPv6 address has no brackets.
        path: As it was written; each adapter has its own rules for it.
        query: What stands behind the `?`, as it was written.
    """

    origin: str
    host: str
    path: str
    query: str

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def server(self) -> str:
        """Host and port, which two spellings of one address have in common."""
        parts = urlsplit(self.origin)
        return f"{self.host}:{parts.port or _PORTS[parts.scheme]}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine without asking a resolver."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address_of(
    url: str, name: str, example: str, *, query: bool = False, allow_http: bool
) -> Address:
    """Take an address apart.

    Args:
        url: The address as people wrote it.
        name: What errors call it, such as `the management URL`.
        example: How to write it right, for hints.
        query: Whether it may have a `?` part.
        allow_http: Whether an operator accepts plain http beyond this machine.

    Raises:
        UsageError: It is none that we would send a credential to.
    """
    parts = _split(url, name, example)
    host, port = _host(parts, name, example), _port(parts, name)
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{name} holds a user name or password", hint=example)
    if parts.fragment or "#" in url or (not query and (parts.query or "?" in url)):
        raise UsageError(f"{name} has a {'' if query else '`?` or '}`#` part", hint=example)
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise UsageError(
            f"{name} would send the credential to {host} unencrypted",
            hint=f"use https://{host}, or set `allow_http: true` in the config if you must",
        )
    bracketed = f"[{host}]" if ":" in host else host
    return Address(f"{parts.scheme}://{bracketed}{port}", host, parts.path, parts.query)


def _split(url: str, name: str, example: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("https", "http"):
        raise UsageError(f"{name} does not begin with https://", hint=example)
    return parts


def _host(parts: SplitResult, name: str, example: str) -> str:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise UsageError(
            f"{name} has no usable host",
            hint=example + "; names with other letters need their xn-- form",
        )
    return host


def _port(parts: SplitResult, name: str) -> str:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UsageError(f"{name} has a bad port", hint="a port is 1 to 65535")
    return "" if port is None else f":{port}"
