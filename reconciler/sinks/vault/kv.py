"""Reading one folder of a KV v2 mount. Nothing here has a client that could write a secret.

What servers do that looks like "nothing there" and is not: a deleted or destroyed key is a 404 that
still names its version, and only this number lets the next `cas` through; a mount that does not exist is
a 404, too, so the mount is proved first and no bare 404 is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from reconciler.core.keys import PATH_KEYS
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkUnread
from reconciler.http import Answer, Json
from reconciler.sinks.receipt_text import Found
from reconciler.sinks.records import Record, Scan, listed
from reconciler.sinks.rest import CONNECTIONS, Denied
from reconciler.sinks.vault.mount import Mount

KEYS: Final = replace(PATH_KEYS, pattern=rf"(?!.*\.\.){PATH_KEYS.pattern}", nests=False)
"""A key and a folder may have one name here; a `..` is refused by the server wherever it stands."""
REGISTRATIONS: Final = ".registrations"
"""No part of a key begins with a dot, so no token can stand here."""
TEXT: Final = "registration"
_FOLDER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where in a mount our records stand, and the names of value and receipt in their data maps."""

    mount: str
    folder: str
    value: str
    receipt: str

    def path(self, kind: str, key: str) -> str:
        """Below the mount; `kind` is `data`, `metadata`, `delete` or `destroy`."""
        return f"{kind}/{self.folder}/{key}"

    def found(self, data: Mapping[str, object] | None) -> Found:
        held = data or {}
        value = _text(held.get(self.value))
        return Found(_text(held.get(self.receipt)), None if value is None else Secret(value))

    def others(self, data: Mapping[str, object] | None) -> dict[str, object]:
        """What people keep in the same data map."""
        return {k: v for k, v in (data or {}).items() if k not in (self.value, self.receipt)}


@dataclass(frozen=True, slots=True)
class Kept:
    """What a server says of one path.

    Attributes:
        version: The number of the newest version, deleted or not; 0 if there never was one.
        data: Its data map; None where there is nothing, or nothing any more.
        ends: When the server will delete what is there by itself, as it writes it; empty: never.
    """

    version: int = 0
    data: Mapping[str, object] | None = None
    ends: str = ""


class KvReader:
    """Looks at our folder of a mount."""

    def __init__(self, shelf: Shelf, mount: Mount) -> None:
        self.shelf = shelf
        self.mount = mount

    def scan(self, keys: Collection[str]) -> Scan:
        """All records of the folder. Whatever is at `keys` is among them: a list shows every key."""
        self.mount.prove()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            names = self._names(pool)
            kept = dict(zip(names, pool.map(self._kept, names), strict=True))
            sets = self._list(f"{REGISTRATIONS}/")
            texts = dict(zip(sets, pool.map(self._registration, sets), strict=True))
        wanted = set(keys)
        ours = {
            key for key, each in kept.items() if isinstance(each, Unread) or self._is_ours(each)
        }
        records = {
            key: each if isinstance(each, Unread) else self._as_record(each)
            for key, each in kept.items()
            if key in wanted or key in ours
        }
        ending = [key for key in ours if isinstance(each := kept[key], Kept) and each.ends]
        registrations = {SetName(n): text for n, text in texts.items() if text is not None}
        return Scan(records, registrations, _remarks(ending))

    def record(self, key: str) -> Record:
        return self._as_record(self.at(key))

    def at(self, key: str, version: int | None = None) -> Kept:
        """What is at one path now, or was in one version."""
        self.mount.prove()
        query = "" if version is None else f"?version={version}"
        answer = self.mount.look(self.shelf.path("data", key) + query)
        match answer:
            case Answer(
                status=HTTPStatus.OK,
                content=Json(
                    {"data": {"data": dict(data), "metadata": {"version": int(number), **about}}}
                ),
            ):
                return Kept(number, data, str(about.get("deletion_time") or ""))
            case Answer(
                content=Json({"data": {"data": None, "metadata": {"version": int(number)}}})
            ):
                return Kept(number)
            case Answer(status=HTTPStatus.NOT_FOUND, content=Json({"errors": []})):
                return Kept()
            case _:
                raise self.mount.strange(answer)

    def versions(self, key: str) -> list[int]:
        """The versions that are not destroyed, the newest first; some may be deleted."""
        answer = self.mount.look(self.shelf.path("metadata", key))
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"data": {"versions": dict(versions)}})):
                return sorted(_undestroyed(versions), reverse=True)
            case Answer(status=HTTPStatus.NOT_FOUND, content=Json({"errors": []})):
                return []
            case _:
                raise self.mount.strange(answer)

    def _names(self, pool: ThreadPoolExecutor) -> list[str]:
        """Every key, folder by folder; what no key of ours can be named is left alone."""
        folders, keys = [""], list[str]()
        while folders:
            inside: list[str] = []
            for folder, names in zip(folders, pool.map(self._list, folders), strict=True):
                for name in names:
                    if name.endswith("/") and _FOLDER.fullmatch(name[:-1]):
                        inside.append(folder + name)
                    elif KEYS.accepts(folder + name):
                        keys.append(folder + name)
            folders = inside
        return keys

    def _list(self, folder: str) -> list[str]:
        answer = self.mount.look(self.shelf.path("metadata", folder) + "?list=true")
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"data": {"keys": list(names)}})):
                return [name for name in names if isinstance(name, str)]
            case Answer(status=HTTPStatus.NOT_FOUND, content=Json({"errors": []})):
                return []
            case _:
                raise self.mount.strange(answer)

    def _kept(self, key: str) -> Kept | Unread:
        try:
            return self.at(key)
        except Denied as error:
            return Unread(error.message)

    def _registration(self, set_name: str) -> str | None:
        """None: there is none any more."""
        key = f"{REGISTRATIONS}/{set_name}"
        data = self.at(key).data
        if data and TEXT not in data:
            where = f"{self.shelf.mount}/{self.shelf.folder}/{key}"
            raise SinkUnread(f"{where} is no registration", hint="move or mend it by hand")
        return _text((data or {}).get(TEXT))

    def _is_ours(self, kept: Kept) -> bool:
        return self.shelf.found(kept.data).receipt is not None

    def _as_record(self, kept: Kept) -> Record:
        return Record(self.shelf.found(kept.data), str(kept.version))


def _remarks(ending: list[str]) -> tuple[str, ...]:
    """A word about keys whose secrets end before their tokens may."""
    if not ending:
        return ()
    way_out = "turn `delete_version_after` off, then `netbird-tokens rotate NAME`"
    return (f"the server will delete what is at {listed(ending)} by itself: {way_out}",)


def _undestroyed(versions: Mapping[str, object]) -> Iterator[int]:
    for number, about in versions.items():
        match about:
            case {"destroyed": False}:
                yield int(number)
            case _:
                pass


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
