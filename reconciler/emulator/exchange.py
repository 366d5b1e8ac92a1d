"""One request and its answer, free of sockets, so that a test can exchange them without any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sends.

    Attributes:
        target: Path and query as they stand in the request line.
        headers: By lower-case name.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The decoded path: the server routes on it, so `%2F` is a slash (netbird-api.md §1.0)."""
        return unquote(self.raw_path)

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> Mapping[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


class Delivery(Enum):
    """How much of an answer reaches the client before the connection is closed."""

    WHOLE = "whole"
    HALF = "half"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets; `headers` are spelled as they are sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery.WHOLE


@dataclass(frozen=True, slots=True)
class Record:
    """One request that was handled.

    Attributes:
        path: Decoded, without the query.
        status: 0 when the connection was closed without an answer.
        user: Whose token it was made with; None when it did not authenticate.
        token: That token's id.
    """

    method: str
    path: str
    status: int
    user: str | None = None
    token: str | None = None
