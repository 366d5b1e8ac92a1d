"""Who we are to a cluster: a token, a token in a file, a certificate, or what a plugin says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.core.secret import Secret
from reconciler.http import Auth, Certificate, Header

_MOST: Final = 64 * 1024


class Unsigned(Exception):
    """There is nothing to sign in with. Its text is fit to be printed."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What one request signs in with, both, one, or neither."""

    auth: Auth | None = None
    certificate: Certificate | None = None


SignIn = Callable[[Credential | None], Credential]
"""The credential of now, and another one than the one that was refused, if there is. Raises Unsigned."""


def fixed(credential: Credential) -> SignIn:
    """One that does not change."""
    return lambda _refused: credential


def bearer(token: str) -> Credential:
    return Credential(Header(Secret(token), "Bearer"))


def token_file(path: Path) -> SignIn:
    """A token that somebody else renews in its file, such as a kubelet: read anew for each request."""

    def read(_refused: Credential | None) -> Credential:
        try:
            with path.open("rb") as file:
                text = file.read(_MOST).decode("ascii", errors="replace").strip()
        except OSError as error:
            raise Unsigned(f"the token file {path} cannot be read: {error.strerror}") from None
        if not text:
            raise Unsigned(f"the token file {path} is empty")
        return bearer(text)

    return read
