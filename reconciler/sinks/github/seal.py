"""The sealed box in which GitHub takes secrets: whoever has the public key can close it, not open it.

Each repository, environment and organisation has a key of its own. GitHub takes a box for the wrong one
all the same, and jobs then read rubbish; so a key is used only for the place that it was read from.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from reconciler.errors import SinkRefused


@dataclass(frozen=True, slots=True)
class Lock:
    """A public key; `id` tells GitHub which of its keys opens the box."""

    id: str
    key: str

    def closed(self, plain: str) -> dict[str, object]:
        """What GitHub wants to be sent. Raises SinkRefused if the key is none."""
        # Of an extra: `build` has proved that it is there, and a look at keys needs none of it.
        from nacl.exceptions import CryptoError  # noqa: PLC0415
        from nacl.public import PublicKey, SealedBox  # noqa: PLC0415

        try:
            box = SealedBox(PublicKey(base64.b64decode(self.key, validate=True)))
            sealed = box.encrypt(plain.encode("ascii"))
        except (ValueError, CryptoError):  # the plain text is a token: ASCII
            raise SinkRefused(
                "GitHub gave a public key that is none, so the secret was not sent",
                hint="does the address in the config lead to GitHub?",
            ) from None
        return {"encrypted_value": base64.b64encode(sealed).decode(), "key_id": self.id}
