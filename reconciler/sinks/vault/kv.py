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
from threading import Lock
from typing import Final

from reconciler.core.keys import PATH_KEYS
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread
from reconciler.http import Answer, Json
from reconciler.sinks.receipt_text import Found
from reconciler.sinks.records import Record, Scan
from reconciler.sinks.rest import CONNECTIONS, Denied, Rest
from reconciler.sinks.vault.login import Session

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
    """

    version: int = 0
    data: Mapping[str, object] | None = None


class KvReader:
    """Looks. Its client can only GET; what else it sends is the one login of its session."""

    def __init__(self, shelf: Shelf, rest: Rest, session: Session) -> None:
        self.shelf = shelf
        self._rest = rest
        self._session = session
        self._one_at_a_time = Lock()
        self._is_proved = False

    def scan(self, keys: Collection[str]) -> Scan:
        """All records of the folder. Whatever is at `keys` is among them: a list shows every key."""
        self.prove_mount()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            names = self._names(pool)
            found = dict(zip(names, pool.map(self._record, names), strict=True))
            sets = self._list(f"{REGISTRATIONS}/")
            texts = dict(zip(sets, pool.map(self._registration, sets), strict=True))
        wanted = set(keys)
        records = {
            key: record
            for key, record in found.items()
            if key in wanted or isinstance(record, Unread) or record.found.receipt is not None
        }
        return Scan(records, {SetName(name): text for name, text in texts.items() if text})

    def record(self, key: str) -> Record:
        return self._as_record(self.at(key))

    def at(self, key: str, version: int | None = None) -> Kept:
        """What is at one path now, or was in one version."""
        self.prove_mount()
        query = "" if version is None else f"?version={version}"
        answer = self._look(self.shelf.path("data", key) + query)
        match answer:
            case Answer(
                status=HTTPStatus.OK,
                content=Json({"data": {"data": dict(data), "metadata": {"version": int(number)}}}),
            ):
                return Kept(number, data)
            case Answer(
                content=Json({"data": {"data": None, "metadata": {"version": int(number)}}})
            ):
                return Kept(number)
            case Answer(status=HTTPStatus.NOT_FOUND, content=Json({"errors": []})):
                return Kept()
            case _:
                raise self._strange(answer)

    def readable_versions(self, key: str) -> list[int]:
        """The versions that are neither deleted nor destroyed, the newest first."""
        answer = self._look(self.shelf.path("metadata", key))
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"data": {"versions": dict(versions)}})):
                return sorted(_readable(versions), reverse=True)
            case Answer(status=HTTPStatus.NOT_FOUND, content=Json({"errors": []})):
                return []
            case _:
                raise self._strange(answer)

    def prove_mount(self) -> None:
        """Ask once whether the mount is there, and is KV of version 2.

        Raises:
            SinkUnread: It is not, or we may not see it.
        """
        with self._one_at_a_time:
            if not self._is_proved:
                self._prove_mount()
                self._is_proved = True

    def _prove_mount(self) -> None:
        mount = self.shelf.mount
        answer = self._look(f"sys/internal/ui/mounts/{mount}", below_mount=False)
        match answer.content:
            case Json({"data": {"type": str(kind), "path": str(path), **rest}}):
                pass
            case _:
                raise self._strange(answer)
        options = rest.get("options")
        version = options.get("version") if isinstance(options, dict) else None
        if path.strip("/") != mount:
            raise SinkUnread(
                f"{mount} is no mount of its own but part of {path}",
                hint=f"write `mount: {path.strip('/')}` and put the rest into `path`",
            )
        if kind not in ("kv", "generic"):
            raise SinkUnread(f"the mount {mount} is of type {kind}, not kv", hint="name another")
        if str(version) != "2":
            raise SinkUnread(
                f"the mount {mount} is KV version 1, which can neither compare before it writes nor"
                " keep what it replaces",
                hint=f"`vault kv enable-versioning {mount}` makes it version 2; or name another mount",
            )

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
        answer = self._look(self.shelf.path("metadata", folder) + "?list=true")
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"data": {"keys": list(names)}})):
                return [name for name in names if isinstance(name, str)]
            case Answer(status=HTTPStatus.NOT_FOUND, content=Json({"errors": []})):
                return []
            case _:
                raise self._strange(answer)

    def _record(self, key: str) -> Record | Unread:
        try:
            return self._as_record(self.at(key))
        except Denied as error:
            return Unread(error.message)

    def _registration(self, set_name: str) -> str | None:
        return _text((self.at(f"{REGISTRATIONS}/{set_name}").data or {}).get(TEXT))

    def _as_record(self, kept: Kept) -> Record:
        return Record(self.shelf.found(kept.data), str(kept.version))

    def _look(self, path: str, *, below_mount: bool = True) -> Answer:
        try:
            auth = self._session.header()
        except SinkRefused as error:
            raise SinkUnread(error.message, hint=error.hint) from None
        whole = f"{self.shelf.mount}/{path}" if below_mount else path
        return replace(self._rest, auth=auth).look(whole)

    def _strange(self, answer: Answer) -> SinkUnread:
        error = self._rest.unread(answer)
        return SinkUnread(error.message, hint="check the address and the namespace in the config")


def _readable(versions: Mapping[str, object]) -> Iterator[int]:
    for number, about in versions.items():
        match about:
            case {"destroyed": False, "deletion_time": ""}:
                yield int(number)
            case _:
                pass


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
