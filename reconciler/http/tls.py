"""Whom one client trusts, and who it is, where that is not the usual: a private CA, a certificate of ours."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from urllib3.util import create_urllib3_context

from reconciler.errors import UsageError
from reconciler.http.credential import Certificate


@dataclass(frozen=True, slots=True)
class Tls:
    """One side of TLS.

    Attributes:
        ca: The only certificates to trust, PEM; None: the usual ones.
        certificate: Who we are; None: nobody, a header says it.
        server_name: The name that the server must prove; None: that of its address.
    """

    ca: str | None = None
    certificate: Certificate | None = None
    server_name: str | None = None

    def context(self) -> ssl.SSLContext:
        """Made anew each time. Raises UsageError if a certificate is none."""
        context = create_urllib3_context()
        if self.ca is not None:
            try:
                context.load_verify_locations(cadata=self.ca)
            except (ssl.SSLError, ValueError):
                raise UsageError(
                    "the certificates to trust cannot be read", hint="they must be PEM"
                ) from None
        if self.certificate is not None:
            self.certificate.load_into(context)
        return context
