"""What a document says of a change besides the change: what its commit causes, and whom the log names."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Averted(TypedDict):
    """Something that the base of a plan would do, and the plan does not."""

    action: str
    name: str
    user: str


class Lack(TypedDict):
    """Why there is no set to compare with: a code of `core.comparison.Lack`, and the same in words."""

    code: str
    text: str


class Base(TypedDict):
    """The commit without the change; `found` says whether it has such a set, `lack` why not."""

    ref: str
    commit: str
    found: bool
    averted: list[Averted]
    lack: NotRequired[Lack]


class Blame(TypedDict):
    """What the audit log says under the name of a token: `created` or `deleted`, by whom, when.

    It names a token by owner and name, never by id, so this may be about another one of that name.
    """

    act: str
    by: str
    user: str
    at: str
