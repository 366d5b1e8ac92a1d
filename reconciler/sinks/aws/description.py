"""A receipt in the description of a parameter: at most 1,024 characters, so without names of fields.

`netbird-tokens [1,"<token>","<user>","<set>","<name>",…]`, one line of ASCII. Predecessors of the same
user are their ids alone.
"""

from __future__ import annotations

import json
from typing import Final

from reconciler.errors import SinkRefused
from reconciler.sinks.receipt_text import Garbled, from_text, to_text

LONGEST: Final = 1024
MARK: Final = "netbird-tokens "
_FIELDS: Final = (
    "v",
    "token",
    "user",
    "set",
    "name",
    "created_at",
    "expires_at",
    "fingerprint",
    "rotation",
    "protect",
    "undeployed",
)


def pack(receipt: str) -> str:
    """The description that stands for a receipt. Raises SinkRefused if it is too long for one."""
    whole = json.loads(receipt)
    user = whole["user"]
    before = [
        each["token"] if each["user"] == user else [each["token"], each["user"]]
        for each in whole["predecessors"]
    ]
    values = [whole.get(name, False) for name in _FIELDS]
    text = f"{MARK}{json.dumps([*values, before], separators=(',', ':'))}"
    if len(text) > LONGEST:
        raise SinkRefused(
            f"the receipt has {len(text)} characters, a description of AWS holds {LONGEST}",
            hint="shorten the name, or wait until replaced tokens are retired; nothing was written",
        )
    return text


def unpack(description: str) -> str | None:
    """The receipt in a description; None if there is none. What is broken stays as it is, garbled."""
    if not description.startswith(MARK):
        return None
    try:
        whole = from_text(description.removeprefix(MARK))
    except Garbled:
        return description
    match whole:
        case [*values, list(before)] if len(values) == len(_FIELDS):
            named = dict(zip(_FIELDS, values, strict=True))
            named["predecessors"] = [_ref(each, named["user"]) for each in before]
            return to_text({k: v for k, v in named.items() if k != "undeployed" or v is not False})
        case _:
            return description


def _ref(written: object, user: object) -> dict[str, object]:
    match written:
        case [token, other]:
            return {"token": token, "user": other}
        case token:
            return {"token": token, "user": user}
