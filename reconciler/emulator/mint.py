"""Draws ids and secrets as the server forms them, from a seed and a serial number.

The serial comes from the store, so neither a restart nor a second process ever draws the same twice.
"""

from __future__ import annotations

import base64
import hashlib
import random
import string
import uuid
from dataclasses import dataclass
from typing import Final

from reconciler.core.secret import checksum

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw; all ids of one draw differ from those of every other serial number."""

    seed: int
    serial: int

    def service_user_id(self) -> str:
        """A UUID, version 4."""
        return str(uuid.UUID(int=self._chance("user").getrandbits(128), version=4))

    def human_id(self) -> str:
        """As the embedded identity provider makes them: base64 of (uuid, connector `local`)."""
        inner = self.service_user_id().encode()
        return base64.b64encode(b"\x0a\x24" + inner + b"\x12\x05local").decode().rstrip("=")

    def token_id(self, now: int) -> str:
        """An xid: the second, five bytes for the process, a counter; sorts by creation."""
        process = random.Random(self.seed).randbytes(5)  # noqa: S311 - not a secret
        return _xid(now // 10**9, process, self.serial)

    def plain_token(self) -> str:
        body = "".join(self._chance("secret").choices(_BASE62, k=30))
        return f"nbp_{body}{checksum(body)}"

    def _chance(self, purpose: str) -> random.Random:
        return random.Random(f"{purpose}/{self.seed}/{self.serial}")  # noqa: S311 - made-up secrets, must repeat


def request_id(now: int, number: int) -> str:
    """The xid in `X-Request-Id`."""
    return _xid(now // 10**9, b"\0\0\0\0\0", number)


def hashed(plain: str) -> str:
    """How the server keeps a token: base64 of SHA-256."""
    return base64.b64encode(hashlib.sha256(plain.encode()).digest()).decode()


def _xid(second: int, process: bytes, counter: int) -> str:
    raw = (second % 2**32).to_bytes(4, "big") + process + (counter % 2**24).to_bytes(3, "big")
    return base64.b32hexencode(raw).decode().lower().rstrip("=")
