"""Receipts and registrations as JSON, one format for every sink, and whether a value fits.

The text is one line of ASCII, so that it can stand in a comment, a label or a file of its own. `v`
is the version of the format; what this version did not write is garbled, never half understood. A
receipt and a value belong together by fingerprint alone (sinks.md §2.2).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler.core.receipts import (
    Absent,
    Damaged,
    Receipt,
    Registration,
    SetName,
    Stored,
    TokenRef,
    Version,
)
from reconciler.core.secret import Secret
from reconciler.core.tokens import TokenId, UserId

FORMAT: Final = 1

_OF_THIS_RUN: Final = secrets.token_bytes(32)
_FINGERPRINT: Final = re.compile(r"[a-z2-7]{16}")
_REF_FIELDS: Final = frozenset({"token", "user"})
_REGISTRATION_FIELDS: Final = frozenset({"v", "set", "server", "principal", "since"})
_TIMES: Final = frozenset({"created_at", "expires_at"})
_FLAGS: Final = frozenset({"rotation", "protect", "undeployed"})
_RECEIPT_FIELDS: Final = (
    _REF_FIELDS | _TIMES | _FLAGS | {"v", "set", "name", "fingerprint", "predecessors"}
)


class Garbled(ValueError):
    """Something that cannot be understood. Says what is wrong and never quotes what it read."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a sink found at one key, before anybody judged it.

    Attributes:
        receipt: The receipt as it is written there; None if there is none.
        secret: The value, whatever it is; None if there is none, or if nobody can read it.
        bound: For a value that nobody can read: whether the store says that it is the one that the
            receipt was written for. None: there is no such value.
    """

    receipt: str | None = None
    secret: Secret | None = None
    bound: bool | None = None

    def judged(self) -> Stored | Damaged | Absent:
        """Whether the value is the one that the receipt describes."""
        if self.receipt is None and not self.has_value:
            return Absent()
        if self.receipt is None:
            return Damaged(None, self._version("foreign"), "there is a value without a receipt")
        try:
            receipt = receipt_from_json(from_text(self.receipt))
        except Garbled as error:
            return Damaged(None, self._version("garbled"), f"the receipt cannot be read: {error}")
        if not self.has_value:
            return Damaged(receipt, self._version("missing"), "there is a receipt, but no secret")
        if not self._fits(receipt):
            why = "the secret is not the one that the receipt describes"
            return Damaged(receipt, self._version("differs"), why)
        return Stored(receipt, self._version("fits"))

    @property
    def has_value(self) -> bool:
        return self.secret is not None or self.bound is not None

    def _fits(self, receipt: Receipt) -> bool:
        if self.secret is None:
            return self.bound is True
        return self.secret.fingerprint() == receipt.fingerprint

    def _version(self, condition: str) -> Version:
        """Another one for another value. A plain hash could give away a weak password of somebody else,
        so it is keyed with what only this process knows: versions are compared within one run.
        """
        value = "" if self.secret is None else self.secret.fingerprint()
        text = f"{condition}\0{value}\0{self.receipt or ''}".encode(errors="surrogatepass")
        return Version(hmac.new(_OF_THIS_RUN, text, hashlib.sha256).hexdigest()[:20])


def receipt_to_json(receipt: Receipt) -> dict[str, object]:
    return {
        "v": FORMAT,
        "token": receipt.token.id,
        "user": receipt.token.user,
        "set": receipt.set,
        "name": receipt.name,
        "created_at": _time_to_text(receipt.created_at),
        "expires_at": _time_to_text(receipt.expires_at),
        "fingerprint": receipt.fingerprint,
        "rotation": receipt.rotation,
        "protect": receipt.protect,
        "predecessors": [{"token": ref.id, "user": ref.user} for ref in receipt.predecessors],
        **({"undeployed": True} if receipt.undeployed else {}),
    }


def receipt_from_json(data: object) -> Receipt:
    """The receipt that `receipt_to_json` wrote. Raises Garbled."""
    whole = {"undeployed": False, **data} if isinstance(data, dict) else data
    fields = _Fields.of(whole, _RECEIPT_FIELDS)
    fields.check_version()
    return Receipt(
        token=fields.ref(),
        set=SetName(fields.text("set")),
        name=fields.text("name"),
        created_at=fields.time("created_at"),
        expires_at=fields.time("expires_at"),
        fingerprint=fields.fingerprint(),
        rotation=fields.count("rotation"),
        protect=fields.flag("protect"),
        predecessors=tuple(
            _Fields.of(each, _REF_FIELDS).ref() for each in fields.items("predecessors")
        ),
        undeployed=fields.flag("undeployed"),
    )


def registration_to_json(registration: Registration) -> dict[str, object]:
    return {
        "v": FORMAT,
        "set": registration.set,
        "server": registration.server,
        "principal": registration.principal,
        "since": _time_to_text(registration.since),
    }


def registration_from_json(data: object) -> Registration:
    """The registration that `registration_to_json` wrote. Raises Garbled."""
    fields = _Fields.of(data, _REGISTRATION_FIELDS)
    fields.check_version()
    return Registration(
        set=SetName(fields.text("set")),
        server=fields.text("server"),
        principal=UserId(fields.text("principal")),
        since=fields.time("since"),
    )


def registration_from_text(text: str) -> Registration:
    """The registration in this text. Raises Garbled."""
    try:
        return registration_from_json(from_text(text))
    except Garbled as error:
        raise Garbled(f"a registration cannot be read: {error}") from None


def to_text(record: Mapping[str, object]) -> str:
    """One line of ASCII."""
    return json.dumps(record, separators=(",", ":"))


def from_text(text: str) -> object:
    """Any JSON without duplicate keys. Raises Garbled."""
    with suppress(ValueError, RecursionError):
        data: object = json.loads(text, object_pairs_hook=_no_duplicates)
        return data
    raise Garbled("it is not JSON, or says one thing twice")  # JSON's own error keeps the text


@dataclass(frozen=True, slots=True)
class _Fields:
    """A JSON object with exactly the fields that it must have, and questions about them."""

    data: Mapping[str, object]

    @staticmethod
    def of(data: object, names: frozenset[str]) -> _Fields:
        if not isinstance(data, dict):
            raise Garbled("it is not an object")
        version = data.get("v")
        if isinstance(version, int) and version > FORMAT:
            raise Garbled("a newer version of netbird-tokens wrote it")
        if data.keys() != names:
            wrong = ", ".join(sorted(names - data.keys()))
            raise Garbled(f"it lacks {wrong}" if wrong else "it has fields of no receipt")
        return _Fields(data)

    def check_version(self) -> None:
        if self.count("v") != FORMAT:
            raise Garbled(f"`v` is not {FORMAT}")

    def text(self, name: str) -> str:
        value = self.data[name]
        if isinstance(value, str) and value:
            return value
        raise Garbled(f"`{name}` is not a text")

    def time(self, name: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise Garbled(f"`{name}` is not a time") from None
        if moment.utcoffset() != timedelta():
            raise Garbled(f"`{name}` is not in UTC")
        return moment.astimezone(UTC)

    def fingerprint(self) -> str:
        value = self.text("fingerprint")
        if _FINGERPRINT.fullmatch(value):
            return value
        raise Garbled("`fingerprint` is not sixteen letters")

    def count(self, name: str) -> int:
        value = self.data[name]
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise Garbled(f"`{name}` is not a number from 0 up")

    def flag(self, name: str) -> bool:
        value = self.data[name]
        if isinstance(value, bool):
            return value
        raise Garbled(f"`{name}` is neither true nor false")

    def items(self, name: str) -> list[object]:
        value = self.data[name]
        if isinstance(value, list):
            return value
        raise Garbled(f"`{name}` is not a list")

    def ref(self) -> TokenRef:
        return TokenRef(UserId(self.text("user")), TokenId(self.text("token")))


def _time_to_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise Garbled("it says one thing twice")
    return data
