"""A receipt in a description, where a store has room for some hundred characters.

It is written with the value in one step, so it is worth the trouble: a list in a fixed order, and times as
numbers. A description looks like

    netbird-tokens/1 ["d5dn376d0smdgog0008g","ci-bot","platform","terraform",1764036000123456,7776…,"ab…",0,0]

with the id of each token behind it that was replaced and still alive. What does not fit is refused before
anything is written: it takes very long names, or many replaced tokens that are all still alive (in GitLab
half a dozen, in AWS some thirty).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from reconciler.core.receipts import Receipt, SetName, TokenRef
from reconciler.core.tokens import TokenId, UserId
from reconciler.errors import SinkRefused
from reconciler.sinks.receipt_text import (
    Garbled,
    from_text,
    receipt_from_json,
    receipt_to_json,
    to_text,
)

MARK: Final = "netbird-tokens/"
_HEAD: Final = f"{MARK}1 "
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Room:
    """What the descriptions of one store can hold.

    Attributes:
        whose: To call the store by, as in `GitLab's`.
        letters: How many characters there is room for.
        ascii: Whether anything but ASCII is escaped.
    """

    whose: str
    letters: int
    ascii: bool = False


def compact(text: str, room: Room) -> str:
    """A receipt as a description. Raises SinkRefused if there is no room for it."""
    receipt = receipt_from_json(from_text(text))
    token, user = receipt.token.id, receipt.token.user
    created = (receipt.created_at - _EPOCH) // _TICK
    lifetime = (receipt.expires_at - receipt.created_at) // _TICK
    flags = receipt.protect + 2 * receipt.undeployed
    fields: list[object] = [token, user, receipt.set, receipt.name, created, lifetime]
    fields += [receipt.fingerprint, receipt.rotation, flags]
    fields += [ref.id if ref.user == user else [ref.id, ref.user] for ref in receipt.predecessors]
    description = _HEAD + json.dumps(fields, separators=(",", ":"), ensure_ascii=room.ascii)
    if len(description) > room.letters:
        raise _too_long(receipt, len(description), room)
    return description


def expanded(description: str) -> str | None:
    """The receipt in a description; None if it is somebody else's text, itself if it cannot be read."""
    if not description.startswith(MARK):
        return None
    try:
        receipt = _receipt(from_text(description.removeprefix(_HEAD)))
    except (Garbled, OverflowError):
        return description
    return to_text(receipt_to_json(receipt))


def _receipt(fields: object) -> Receipt:
    match fields:
        case [
            str(token), str(user), str(set_name), str(name), int(created), int(lifetime),
            str(fingerprint), int(rotation), int(flags), *others,
        ]:  # fmt: skip
            created_at = _EPOCH + created * _TICK
            return Receipt(
                TokenRef(UserId(user), TokenId(token)),
                SetName(set_name),
                name,
                created_at,
                created_at + lifetime * _TICK,
                fingerprint,
                rotation,
                protect=bool(flags & 1),
                predecessors=tuple(_ref(each, user) for each in others),
                undeployed=bool(flags & 2),
            )
        case _:
            raise Garbled("it is no list of a receipt's fields")


def _ref(said: object, user: str) -> TokenRef:
    match said:
        case str(token):
            return TokenRef(UserId(user), TokenId(token))
        case [str(token), str(other)]:
            return TokenRef(UserId(other), TokenId(token))
        case _:
            raise Garbled("it names a token that is none")


def _too_long(receipt: Receipt, length: int, room: Room) -> SinkRefused:
    way_out = "shorten the name of the entry or of the set"
    if receipt.predecessors:
        way_out = (
            f"{len(receipt.predecessors)} replaced tokens are still alive: revoke those that nobody uses"
            f" (`netbird-tokens revoke ID`); or {way_out}"
        )
    return SinkRefused(
        f"the receipt of {receipt.name!r} takes {length} characters, and {room.whose} descriptions have"
        f" room for {room.letters}",
        hint=way_out,
    )
