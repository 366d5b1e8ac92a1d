"""KV version 2 as OpenBao's source has it: versions, check-and-set, soft delete, destroy (and version 1)."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Said = tuple[int, Any]

MISMATCH = "check-and-set parameter did not match the current version"
REQUIRED = "check-and-set parameter required for this call"
NOTHING: Said = (404, {"errors": []})
_KEPT = 10


@dataclass
class Version:
    data: dict[str, Any] | None
    created: str
    deleted: str = ""
    destroyed: bool = False

    @property
    def gone(self) -> bool:
        """A deletion may lie in the future: until then a version is read as any other."""
        return self.destroyed or (self.deleted != "" and datetime.fromisoformat(self.deleted) <= _now())

    @property
    def about(self) -> dict[str, Any]:
        return {
            "created_time": self.created,
            "deletion_time": self.deleted,
            "destroyed": self.destroyed,
        }


@dataclass
class Key:
    """`current` stays what it was when versions are deleted: this is what `cas` is compared with.

    `delete_after` is in seconds, as that of a mount; 0: never.
    """

    current: int = 0
    max_versions: int = 0
    delete_after: int = 0
    custom: dict[str, str] | None = None
    versions: dict[int, Version] = field(default_factory=dict)


@dataclass
class Mount:
    version: int = 2
    cas_required: bool = False
    delete_after: int = 0
    kind: str = "kv"
    keys: dict[str, Key] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._one_at_a_time = threading.Lock()

    def exists(self, path: str) -> bool | None:
        """Whether a write is an update; None where nothing is asked, and it always is."""
        if self.version == 1:
            return path in self.plain
        kind, _, key = path.partition("/")
        return key in self.keys if kind in ("data", "metadata") else None

    def handle(self, operation: str, path: str, query: dict[str, str], body: Any) -> Said:
        with self._one_at_a_time:
            if self.version == 1:
                return self._version_1(operation, path, body)
            kind, _, key = path.partition("/")
            method = getattr(self, f"_{kind}_{operation}".replace("create", "update"), None)
            if method is None:
                return 405, {"errors": ["unsupported operation"]}
            return method(key, query, body or {})

    def _data_read(self, key: str, query: dict[str, str], _body: Any) -> Said:
        held = self.keys.get(key)
        number = int(query.get("version", 0)) or (held.current if held else 0)
        version = held.versions.get(number) if held else None
        if held is None or version is None:
            return NOTHING
        gone = version.gone
        metadata = {"version": number, **version.about, "custom_metadata": held.custom}
        data = None if gone else version.data
        return (404 if gone else 200), {"data": {"data": data, "metadata": metadata}}

    def _data_update(self, key: str, _query: dict[str, str], body: Any) -> Said:
        if "data" not in body:
            return 400, {"errors": ["no data provided"]}
        held = self.keys.get(key) or Key()
        options = body.get("options") or {}
        if "cas" in options:
            if int(options["cas"]) != held.current:
                return 400, {"errors": [MISMATCH]}
        elif self.cas_required:
            return 400, {"errors": [REQUIRED]}
        self.keys[key] = held
        held.current += 1
        version = held.versions[held.current] = Version(json.loads(json.dumps(body["data"])), _text(_now()))
        if after := min(filter(None, (self.delete_after, held.delete_after)), default=0):
            version.deleted = _text(_now() + timedelta(seconds=after))
        for number in [n for n in held.versions if n <= held.current - (held.max_versions or _KEPT)]:
            del held.versions[number]
        return 200, {"data": {"version": held.current, **version.about, "custom_metadata": None}}

    def _data_delete(self, key: str, _query: dict[str, str], _body: Any) -> Said:
        held = self.keys.get(key)
        return self._delete_update(key, {}, {"versions": [held.current if held else 1]})

    def _delete_update(self, key: str, _query: dict[str, str], body: Any) -> Said:
        for version in self._chosen(key, body):
            version.deleted = version.deleted if version.gone else _text(_now())
        return self._done(body, "No")

    def _undelete_update(self, key: str, _query: dict[str, str], body: Any) -> Said:
        for version in self._chosen(key, body):
            version.deleted = ""
        return self._done(body, "No")

    def _destroy_update(self, key: str, _query: dict[str, str], body: Any) -> Said:
        for version in self._chosen(key, body):
            version.destroyed, version.data = True, None
        return self._done(body)

    def _chosen(self, key: str, body: Any) -> list[Version]:
        held = self.keys.get(key) or Key()
        return [held.versions[n] for n in body.get("versions", ()) if n in held.versions]

    def _done(self, body: Any, no: str = "no") -> Said:
        if not body.get("versions"):
            return 400, {"errors": [f"{no} version number provided"]}
        return 204, None

    def _metadata_read(self, key: str, _query: dict[str, str], _body: Any) -> Said:
        held = self.keys.get(key)
        if held is None:
            return NOTHING
        versions = {str(number): version.about for number, version in held.versions.items()}
        return 200, {
            "data": {
                "versions": versions,
                "current_version": held.current,
                "max_versions": held.max_versions,
                "delete_version_after": _duration(held.delete_after),
                "custom_metadata": held.custom,
            }
        }

    def _metadata_update(self, key: str, _query: dict[str, str], body: Any) -> Said:
        held = self.keys.setdefault(key, Key())
        held.max_versions = body.get("max_versions", held.max_versions)
        held.delete_after = _seconds(body.get("delete_version_after"), held.delete_after)
        held.custom = body.get("custom_metadata", held.custom)
        return 204, None

    def _metadata_delete(self, key: str, _query: dict[str, str], _body: Any) -> Said:
        self.keys.pop(key, None)
        return 204, None

    def _metadata_list(self, folder: str, _query: dict[str, str], _body: Any) -> Said:
        folder = f"{folder.rstrip('/')}/" if folder else ""
        below = [key.removeprefix(folder) for key in self.keys if key.startswith(folder)]
        names = {name + ("/" if slash else "") for name, slash, _ in (k.partition("/") for k in below)}
        return (200, {"data": {"keys": sorted(names)}}) if names else NOTHING

    def _config_read(self, _key: str, _query: dict[str, str], _body: Any) -> Said:
        after = _duration(self.delete_after)
        return 200, {"data": {"cas_required": self.cas_required, "delete_version_after": after}}

    def _config_update(self, _key: str, _query: dict[str, str], body: Any) -> Said:
        self.cas_required = body.get("cas_required", self.cas_required)
        self.delete_after = _seconds(body.get("delete_version_after"), self.delete_after)
        return 204, None

    def _version_1(self, operation: str, path: str, body: Any) -> Said:
        if operation == "read":
            return (200, {"data": self.plain[path]}) if path in self.plain else NOTHING
        if operation in ("create", "update"):
            self.plain[path] = body
        return 204, None


def _now() -> datetime:
    return datetime.now(UTC)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _duration(seconds: int) -> str:
    """As Go writes it."""
    return f"{seconds // 3600}h{seconds // 60 % 60}m{seconds % 60}s" if seconds else "0s"


def _seconds(told: str | None, held: int) -> int:
    return held if told is None else int(told.removesuffix("s"))
