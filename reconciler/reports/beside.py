"""What a document says of a change besides the change: what its commit causes, and whom the log names."""

from __future__ import annotations

from typing import TypedDict


class Averted(TypedDict):
    """Something that the base of a plan would do, and the plan does not."""

    action: str
    name: str
    user: str


class Base(TypedDict):
    """The commit without the change; `found` says whether it has such a set at all."""

    ref: str
    commit: str
    found: bool
    averted: list[Averted]


class Blame(TypedDict):
    """What the audit log says under the name of a token: `created` or `deleted`, by whom, when.

    It names a token by owner and name, never by id, so this may be about another one of that name.
    """

    act: str
    by: str
    user: str
    at: str
