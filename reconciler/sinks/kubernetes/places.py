"""Where a key stands: a field of a Secret, and its receipt in an annotation that bears the field's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from reconciler.core.keys import VARIABLE_KEYS, KeyRule

RECEIPT: Final = "receipt.netbird-tokens/"
REGISTRATION: Final = "registration.netbird-tokens/"
"""What stands behind the slash is a field, or the name of a set."""
HOME: Final = "netbird-tokens.registrations"
"""The Secret with the registrations where each key has a Secret of its own; it holds no value."""

_NAME: Final = (
    r"(?=[^#]{1,253}(#|\Z))[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)
_FIELD: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
"""What both a field and the name of an annotation may be."""


class Spot(NamedTuple):
    """One field of one Secret."""

    secret: str
    field: str

    @property
    def annotation(self) -> str:
        return f"{RECEIPT}{self.field}"


@dataclass(frozen=True, slots=True)
class Layout:
    """How keys are spread over Secrets.

    Attributes:
        shared: The one Secret that has them all, a field each; None: a Secret for each.
        field: In a Secret of its own: the field, where a key names none.
    """

    shared: str | None
    field: str

    @property
    def home(self) -> str:
        """The Secret that has the registrations."""
        return HOME if self.shared is None else self.shared

    @property
    def keys(self) -> KeyRule:
        """A field that need not be written may not be, so that no place has two keys."""
        if self.shared is not None:
            return KeyRule(
                pattern=_FIELD,
                advice="letters, digits, `.`, `_` and `-`, at most 63, a letter or digit at both ends",
                separator=VARIABLE_KEYS.separator,
                word=VARIABLE_KEYS.word,
                upper=True,
            )
        own = rf"(?!{re.escape(HOME)}(#|\Z))(?!.*#{re.escape(self.field)}\Z)"
        return KeyRule(
            pattern=rf"{own}{_NAME}(#{_FIELD})?",
            advice=f"`secret` or `secret#FIELD`: a Secret's name (small letters, digits, `-`, `.`), and "
            f"its field unless that is {self.field}",
            separator=".",
            word="-",
        )

    def spot(self, key: str) -> Spot:
        if self.shared is not None:
            return Spot(self.shared, key)
        secret, _, field = key.partition("#")
        return Spot(secret, field or self.field)

    def key(self, spot: Spot) -> str:
        if self.shared is not None:
            return spot.field
        return spot.secret if spot.field == self.field else f"{spot.secret}#{spot.field}"
