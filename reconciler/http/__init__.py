"""HTTP for every adapter, with the rules of DESIGN §8; the only package that knows `requests`.

An adapter has an address that may be sent a credential, a client that is bound to it, and outcomes
that say how far a request came. What an answer means is the adapter's business.
"""

from reconciler.http.address import Address, address_of, is_loopback
from reconciler.http.client import Client, Limits
from reconciler.http.credential import Auth, Basic, Certificate, Header
from reconciler.http.outcome import (
    Answer,
    Failure,
    Json,
    Outcome,
    Stage,
    Text,
    printable,
    proves_nothing,
)
from reconciler.http.tls import Tls

__all__ = [
    "Address",
    "Answer",
    "Auth",
    "Basic",
    "Certificate",
    "Client",
    "Failure",
    "Header",
    "Json",
    "Limits",
    "Outcome",
    "Stage",
    "Text",
    "Tls",
    "address_of",
    "is_loopback",
    "printable",
    "proves_nothing",
]
