"""JSON to our types. Says exactly what is wrong, never quotes a value: one of them is the secret.

Unknown fields are ignored. What is missing, null or zero, and when: netbird-api.md §1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from reconciler.core.ports import Minted
from reconciler.core.secret import Secret
from reconciler.core.tokens import LiveToken, TokenId, User, UserId
from reconciler.errors import BadAnswer

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""Go's zero time. As an expiry: such a token has never worked (§1.1)."""
HINT: Final = "is management_url the API of a NetBird server, and is nothing rewriting its answers?"

_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_TOKEN_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
"""The server's are 20 of `[0-9a-v]` (§1.1). They are printed and sent, so nothing much stranger passes."""
_YEARS: Final = range(2000, 9000)
"""A server that is older or newer has no clock; and from its time we count years ahead."""
_ZERO_YEARS: Final = ("0001-", "0000-")  # the zero time is still in year 0 west of Greenwich


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the audit log. It names a token's owner and name, never its id (§1.3).

    Attributes:
        target_id: What it was done to; for a token event the user whose token it is.
        name: The token's name, empty where the event has none.
        timestamp: UTC.
    """

    activity_code: str
    initiator_id: UserId
    initiator_name: str
    initiator_email: str
    target_id: str
    name: str
    timestamp: datetime


def users(raw: object) -> tuple[User, ...]:
    """The answer to GET /api/users, in the server's random order. Raises BadAnswer."""
    return tuple(
        User(
            id=UserId(item.text("id")),
            name=item.text("name"),
            role=item.text("role"),
            is_service_user=item.flag("is_service_user"),
            is_current=item.flag("is_current"),
            is_blocked="is_blocked" in item.fields and item.flag("is_blocked"),
        )
        for item in _items(raw, "users")
    )


def tokens(raw: object, user: UserId) -> tuple[LiveToken, ...]:
    """The answer to GET …/tokens of this user; no tokens are `null`. Raises BadAnswer."""
    return tuple(_token(item, user) for item in _items(raw, "tokens"))


def token(raw: object, user: UserId) -> LiveToken:
    """The answer to GET …/tokens/<id>. Raises BadAnswer."""
    return _token(_item(raw, "token"), user)


def minted(raw: object, user: UserId) -> Minted:
    """The answer to POST …/tokens. Raises BadAnswer."""
    item = _item(raw, "created")
    made = _token(_item(item.fields.get("personal_access_token"), "personal_access_token"), user)
    secret = Secret(item.text("plain_token"))
    if not secret.is_well_formed():
        raise BadAnswer(
            "the server's answer is odd: created.plain_token is no whole token", hint=HINT
        )
    return Minted(made, secret)


def minted_id(raw: object) -> TokenId | None:
    """The id in an answer that `minted` refused, if it holds that much."""
    match raw:
        case {"personal_access_token": {"id": str(found)}} if _TOKEN_ID.fullmatch(found):
            return TokenId(found)
        case _:
            return None


def events(raw: object) -> tuple[Event, ...]:
    """The answer to GET /api/events/audit, newest first. Raises BadAnswer."""
    return tuple(
        Event(
            activity_code=item.text("activity_code"),
            initiator_id=UserId(item.text("initiator_id")),
            initiator_name=item.text("initiator_name"),
            initiator_email=item.text("initiator_email"),
            target_id=item.text("target_id"),
            name=_meta_name(item.fields.get("meta")),
            timestamp=item.instant("timestamp"),
        )
        for item in _items(raw, "events")
    )


def http_date(text: str) -> datetime:
    """A `Date` header, UTC. Raises BadAnswer, also for a time that no server can have."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadAnswer("the server's answer has no readable Date header", hint=HINT)
    if moment.year not in _YEARS:
        raise BadAnswer(
            f"the server's Date header is of the year {moment.year}", hint="set the server's clock"
        )
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Item:
    """A JSON object and where it stands in the answer."""

    fields: Mapping[str, object]
    where: str

    def text(self, key: str) -> str:
        value = self.fields.get(key)
        if not isinstance(value, str):
            raise _unlike(f"{self.where}.{key}", value, "a string")
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise _unlike(f"{self.where}.{key}", value, "one of valid Unicode")
        return value

    def token_id(self) -> TokenId:
        value = self.text("id")
        if not _TOKEN_ID.fullmatch(value):
            raise _unlike(f"{self.where}.id", value, "the id of a token")
        return TokenId(value)

    def flag(self, key: str) -> bool:
        value = self.fields.get(key)
        if not isinstance(value, bool):
            raise _unlike(f"{self.where}.{key}", value, "true or false")
        return value

    def instant(self, key: str) -> datetime:
        """Go's RFC 3339: 0 to 9 digits of fraction, any offset; to the microsecond, UTC."""
        text = self.text(key)
        if not _TIMESTAMP.fullmatch(text):
            raise _unlike(f"{self.where}.{key}", text, "an RFC 3339 timestamp")
        if text.startswith(_ZERO_YEARS):
            return NEVER
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            wrong = _unlike(f"{self.where}.{key}", text, "an RFC 3339 timestamp")
        raise wrong

    def past(self, key: str) -> datetime:
        """An instant by the server's own clock, which `http_date` limits likewise."""
        found = self.instant(key)
        if found.year >= _YEARS.stop:
            raise _unlike(f"{self.where}.{key}", str(found), "an instant that has passed")
        return found


def _token(item: _Item, user: UserId) -> LiveToken:
    used = item.past("last_used") if item.fields.get("last_used") is not None else NEVER
    return LiveToken(
        id=item.token_id(),
        user=user,
        name=item.text("name"),
        created_by=UserId(item.text("created_by")),
        created_at=item.past("created_at"),
        expires_at=item.instant("expiration_date"),
        last_used=None if used == NEVER else used,
    )


def _meta_name(meta: object) -> str:
    match meta:
        case {"name": str(name)}:
            return name
        case _:
            return ""


def _items(raw: object, where: str) -> tuple[_Item, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise _unlike(where, raw, "a list")
    return tuple(_item(value, f"{where}[{index}]") for index, value in enumerate(raw))


def _item(value: object, where: str) -> _Item:
    if not isinstance(value, dict):
        raise _unlike(where, value, "an object")
    return _Item(value, where)


def _unlike(where: str, value: object, wanted: str) -> BadAnswer:
    """Tells the kind of what was found, not what it was."""
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    found = "missing or null" if value is None else kinds.get(type(value), "a number")
    return BadAnswer(f"the server's answer is odd: {where} is {found}, not {wanted}", hint=HINT)
