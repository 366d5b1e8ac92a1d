"""snapshot: one look as a file without secrets; and a plan's look read from such a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, cast

from reconciler.commands.desk import Desk
from reconciler.commands.output import write
from reconciler.commands.progress import waiting
from reconciler.commands.saved import kept, unreadable
from reconciler.core.receipts import (
    Damaged,
    Inventory,
    Receipt,
    Registration,
    SetName,
    SinkName,
    Stored,
    TokenRef,
    Version,
)
from reconciler.core.spec import TokenSet
from reconciler.core.tokens import Listing, LiveToken, TokenId, Unread, User, UserId
from reconciler.core.world import World
from reconciler.errors import ExitCode
from reconciler.gather import Beyond
from reconciler.reports.json import dumps
from reconciler.reports.snapshot import (
    Described,
    Entry,
    List,
    Live,
    Person,
    Ref,
    Registered,
    Snapshot,
    Store,
    snapshot_document,
)
from reconciler.wiring import Parts

_VERSION: Final = Version("snapshot")
"""Of every place: no write could be conditional on it, and none is made."""
_KIND: Final = "snapshot"
_NAME: Final = "name the file that `netbird-tokens snapshot --out` wrote"


def snapshot(parts: Parts, desk: Desk, out: Path | None) -> ExitCode:
    """Write what a plan needs to know of the account and the sinks. Sends GETs only."""
    with parts.reader() as api, waiting(desk, "reading tokens and sinks"):
        world = parts.look(api, Beyond(services=True))
    document = snapshot_document(world)
    text = dumps(document)
    if out is None:
        desk.show(text)
    else:
        write(out, text)
        desk.note(f"next: `netbird-tokens plan --live {out}` needs no credential")
    if document["complete"]:
        return ExitCode.OK
    desk.note("incomplete: what could not be read is `unread` in the snapshot")
    return ExitCode.ERROR


@dataclass(frozen=True, slots=True)
class Past:
    """A look in a file, and the set that it was made for; `core.aim.aimed` makes of it what another needs."""

    world: World
    set: str


def read(path: Path, wanted: TokenSet) -> Past:
    """The whole look in a file.

    Raises:
        UsageError: The file cannot be read, or is no snapshot.
    """
    found = cast("Snapshot", kept(path, _KIND, _NAME))
    target = found["target"]
    try:
        world = World(
            wanted=wanted,
            server=target["management_url"],
            principal=UserId(target["principal"]),
            now=_moment(found["as_of"]),
            users={user.id: user for user in map(_user, found["users"])},
            live={UserId(user): _listing(each, user) for user, each in found["live"].items()},
            sinks={SinkName(name): _inventory(each) for name, each in found["sinks"].items()},
            is_past=True,
        )
    except ValueError:
        raise unreadable(path, _KIND, _NAME) from None
    return Past(world, found["set"])


def _user(found: Person) -> User:
    return User(
        id=UserId(found["id"]),
        name=found["name"],
        role=found["role"],
        is_service_user=found["is_service_user"],
        is_current=found["is_current"],
        is_blocked=found["is_blocked"],
    )


def _listing(found: List, user: str) -> Listing:
    if "tokens" not in found:
        return Unread(found.get("unread", ""))
    return tuple(_token(token, UserId(user)) for token in found["tokens"])


def _token(found: Live, user: UserId) -> LiveToken:
    return LiveToken(
        id=TokenId(found["id"]),
        user=user,
        name=found["name"],
        created_by=UserId(found["created_by"]),
        created_at=_moment(found["created_at"]),
        expires_at=_moment(found["expires_at"]),
        last_used=_moment(found["last_used"]) if found["last_used"] else None,
    )


def _inventory(found: Store) -> Inventory | Unread:
    if "entries" not in found:
        return Unread(found.get("unread", ""))
    registrations = [_registration(each) for each in found.get("registrations", ())]
    return Inventory(
        entries={key: _entry(each) for key, each in found["entries"].items()},
        registrations={each.set: each for each in registrations},
    )


def _entry(found: Entry) -> Stored | Damaged | Unread:
    receipt = found.get("receipt")
    if "unread" in found:
        return Unread(found["unread"])
    if "damaged" in found:
        return Damaged(_receipt(receipt) if receipt else None, _VERSION, found["damaged"])
    if receipt is None:
        raise ValueError("a value without a receipt is damaged")
    return Stored(_receipt(receipt), _VERSION)


def _receipt(found: Described) -> Receipt:
    return Receipt(
        token=_ref(found["token"]),
        set=SetName(found["set"]),
        name=found["name"],
        created_at=_moment(found["created_at"]),
        expires_at=_moment(found["expires_at"]),
        fingerprint="",
        rotation=found["rotation"],
        protect=found["protect"],
        predecessors=tuple(map(_ref, found["predecessors"])),
        undeployed=found["undeployed"],
    )


def _ref(found: Ref) -> TokenRef:
    return TokenRef(UserId(found["user"]), TokenId(found["token"]))


def _registration(found: Registered) -> Registration:
    return Registration(
        set=SetName(found["set"]),
        server=found["server"],
        principal=UserId(found["principal"]),
        since=_moment(found["since"]),
    )


def _moment(text: str) -> datetime:
    """Raises ValueError: the pattern of the schema lets a 99th of June pass."""
    return datetime.fromisoformat(text)
