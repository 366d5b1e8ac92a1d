"""Registrations in stores of variables: one variable for each set, named after it."""

from __future__ import annotations

from typing import Final

from reconciler.core.receipts import SetName
from reconciler.errors import SinkRefused

SET: Final = "NETBIRD_TOKENS_SET_"


def variable_of(set_name: SetName) -> str:
    """The variable of a set. Raises SinkRefused for a name that could be another's, too."""
    name = SET + set_name.upper().replace("-", "_")
    if set_of(name) != set_name:
        raise SinkRefused(
            f"the set {set_name!r} cannot have a variable of its own",
            hint="name it with small letters, digits, dashes",
        )
    return name


def set_of(variable: str) -> SetName | None:
    """The set of a variable; None if it is no registration's."""
    if not variable.startswith(SET):
        return None
    return SetName(variable.removeprefix(SET).lower().replace("_", "-"))
