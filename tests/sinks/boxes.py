"""A small sink of each format, and made-up secrets, receipts and registrations to fill it with."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.core.ports import Sink
from reconciler.core.receipts import (
    ABSENT,
    Damaged,
    Receipt,
    Registration,
    SetName,
    Stored,
    TokenRef,
    Version,
)
from reconciler.core.secret import Secret, checksum
from reconciler.core.tokens import TokenId, UserId
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings

FORMATS = ("raw", "dotenv", "json")
SHARED = ("dotenv", "json")
KEY = "KEY"
SOMEBODY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
"""A public key; who has the other half does not matter."""


def secret(number: int = 1) -> Secret:
    body = f"{number:030d}"
    return Secret(f"nbp_{body}{checksum(body)}")


def receipt(number: int = 1, **fields: object) -> Receipt:
    made = Receipt(
        token=TokenRef(UserId("bot"), TokenId(f"tok{number}")),
        set=SetName("platform"),
        name=f"deploy-{number}",
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        expires_at=datetime(2026, 4, 2, 3, 4, 5, 678901, tzinfo=UTC),
        fingerprint=secret(number).fingerprint(),
        rotation=2,
        predecessors=(TokenRef(UserId("bot"), TokenId("tok0")),),
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # named after the fields


REGISTRATION = Registration(
    SetName("platform"),
    "https://api.netbird.io",
    UserId("us"),
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


class Box:
    """One sink of each format, or of `age`, and the file in which it keeps KEY."""

    def __init__(self, folder: Path, form: str, *, strict: bool = False) -> None:
        self.form = form
        self.folder = folder / "secrets"
        if form == "age":
            self.file = self.folder / f"{KEY}.age"
            sealed = {"path": "secrets", "program": "age", "recipients": [SOMEBODY]}
            env = {"PATH": os.environ["PATH"]}
            self.sink: Sink = sink_type("age").build(sealed, Surroundings(folder, env, allow_http=False))
            return
        self.place = "secrets" if form == "raw" else f"secrets/all.{form}"
        self.file = self.folder / (KEY if form == "raw" else f"all.{form}")
        options: dict[str, object] = {"format": form, "path": self.place, "strict": strict}
        self.sink = sink_type("file").build(options, Surroundings(folder, {}, allow_http=False))

    def put(self, number: int = 1, key: str = KEY, expect: Version = ABSENT) -> None:
        self.sink.put(key, secret(number), receipt(number), expect)

    def version(self, key: str = KEY) -> Version:
        held = self.sink.read(key)
        assert isinstance(held, Stored | Damaged)
        return held.version

    def write(self, content: bytes) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.file.write_bytes(content)
        self.file.chmod(0o600)

    def files(self) -> set[str]:
        return {each.name for each in self.folder.rglob("*")}
