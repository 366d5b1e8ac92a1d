"""Documents: what is printed as JSON, and what every other format is made from.

One renderer serves a plan that was just made and one that was read from a file, because both are such
a document. Text in it is as the server or a file had it; each renderer makes it harmless for its place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NotRequired, TypedDict

from reconciler.reports.beside import Base, Blame

FORMAT_VERSION: Final = "1.2"
"""Minor: something was added. Major: something changed; readers refuse an unknown major."""


class Tool(TypedDict):
    """Who wrote a document."""

    name: str
    version: str


class User(TypedDict):
    """A user by id, and by the name that people know; the id again where that is not known."""

    id: str
    name: str


class Why(TypedDict):
    """A reason: its code (`netbird-tokens explain CODE`), its cause, and this case in words."""

    code: str
    cause: str
    text: str


class Facts(TypedDict):
    """One state of a token. `token_id`, `created_at`: None while it does not exist."""

    token_id: str | None
    days: int
    lifetime: NotRequired[str]
    created_at: str | None
    expires_at: str
    last_used: str | None
    created_by: NotRequired[str]
    creator: NotRequired[str]
    rotation: NotRequired[int]
    protect: NotRequired[bool]
    sinks: NotRequired[list[str]]


class Field(TypedDict):
    """One field that differs."""

    path: str
    before: object
    after: object


class Origin(TypedDict):
    """The place in a file that asks for it; lines and columns count from 1."""

    file: str
    line: int
    column: int


class Old(TypedDict):
    """What becomes of the token that a renewal replaces.

    Attributes:
        until: It works until then at least; None: not even until the run ends.
        rule: `retire` of its entry.
        revoked_at_once: Tokens that go as soon as the new secret is stored.
    """

    until: str | None
    rule: str
    revoked_at_once: list[str]


class Change(TypedDict):
    """One line of a plan.

    Attributes:
        tokens: Ids of the tokens that exist and that it concerns.
        places: `sink:key` of everything that it writes or empties.
        blame: Of drift: what the audit log says, where that was asked for.
        caused: Of a plan with a base: whether the change brings it about.
    """

    action: str
    name: str
    user: User
    reason: Why
    before: Facts | None
    after: Facts | None
    fields: list[Field]
    tokens: list[str]
    until: str | None
    renews_at: str | None
    origin: Origin | None
    places: NotRequired[list[str]]
    old: NotRequired[Old | None]
    caused: NotRequired[bool]
    blame: NotRequired[Blame]


class Target(TypedDict):
    """Whom a plan is for."""

    management_url: str
    principal: str


class Gap(TypedDict):
    """Something that could not be read."""

    what: str
    why: str


class Live(TypedDict):
    """Live tokens: in receipts of this set, of other sets, in no receipt."""

    ours: int
    others: int
    unmanaged: int


class Guard(TypedDict):
    """One guard's verdict: `pass` or `stop`."""

    id: str
    result: str
    text: str
    hint: str


class Plan(TypedDict):
    """`schemas/plan.v1.schema.json`: everything that a plan says.

    Attributes:
        snapshot: Whether it was made from a snapshot; apply refuses it.
        planned_at: When that was, by the clock of that machine; `as_of` is the server's, and the snapshot's.
        shared_names: Names in this part of a plan that tokens of other users have in the rest of it.
    """

    format: str
    format_version: str
    tool: Tool
    plan_id: str
    change_id: str
    digest: NotRequired[str]
    set: str
    target: Target
    as_of: str
    valid_until: str
    complete: bool
    errors: list[Gap]
    summary: dict[str, int]
    live: Live
    guards: list[Guard]
    changes: list[Change]
    snapshot: NotRequired[bool]
    planned_at: NotRequired[str]
    shared_names: NotRequired[list[str]]
    base: NotRequired[Base]


class Token(Facts):
    """A live token as `list` and `inspect` show it."""

    name: str
    user: str
    owner: str
    works: bool


def instant(moment: datetime) -> str:
    """RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def moment(text: str) -> datetime:
    """The instant that `instant` wrote, or the first moment of a day. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
