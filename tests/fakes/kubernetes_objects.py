"""The objects of one kind: versions, conditions, dry runs, patches, and who has which field.

Written after a kube-apiserver 1.36, whose answers it repeats where we or kubectl depend on them.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Said = tuple[int, Any]
Path = tuple[str, ...]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_FIELD = re.compile(r"[-._a-zA-Z0-9]+")
_MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
_MAPS = {("data",), ("spec",), ("metadata",), ("metadata", "labels"), ("metadata", "annotations")}
_OURS_ALONE = {"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields"}
_UNOWNED = {("kind",), ("apiVersion",), *(("metadata", name) for name in _OURS_ALONE)}


class Refused(Exception):
    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.said: Said = code, status(code, reason, message, **details)


def status(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    said["message"] = message
    if reason:
        said["reason"] = reason
    if details:
        said["details"] = details
    return {**said, "code": code}


@dataclass
class Request:
    """What was asked about one object or one list."""

    namespace: str
    name: str
    query: dict[str, str]
    body: Any = None
    content_type: str = "application/json"
    accept: str = ""
    agent: str = "unknown"

    @property
    def manager(self) -> str:
        return self.query.get("fieldManager") or self.agent

    @property
    def is_rehearsal(self) -> bool:
        """A DELETE with a body is asked by its body alone."""
        if isinstance(self.body, dict) and self.body.get("kind") == "DeleteOptions":
            return "dryRun" in self.body
        return "dryRun" in self.query


@dataclass
class Shelf:
    """All objects of one kind, by namespace and name."""

    kind: str
    plural: str
    group: str
    namespaces: set[str]
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    last: int = 0
    one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    @property
    def version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def details(self, name: str) -> dict[str, str]:
        return {"name": name, **({"group": self.group} if self.group else {}), "kind": self.plural}

    def list(self, request: Request) -> Said:
        with self.one_at_a_time:
            token = request.query.get("continue")
            if token is None:
                found = self._selected(request)
            elif token in self.pages:
                found = self.pages[token]
            elif _is_token(token):
                raise Refused(410, "Expired", "The provided continue parameter is too old to display a "
                              "consistent list result.")  # fmt: skip
            else:
                raise Refused(400, "BadRequest", "invalid continue token: continue key is not valid")
            most = int(request.query.get("limit", "0")) or len(found) + 1
            about = {"resourceVersion": str(self.last)}
            if len(found) > most:
                name = found[most]["metadata"]["name"]
                start = {"v": "meta.k8s.io/v1", "rv": self.last, "start": name}
                about["continue"] = base64.urlsafe_b64encode(json.dumps(start).encode()).decode()
                self.pages[about["continue"]] = found[most:]
            page = found[:most]
        if "as=PartialObjectMetadataList" in request.accept:
            part = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            items = [{**part, "metadata": each["metadata"]} for each in page] or None
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        else:
            items = [{k: v for k, v in each.items() if k not in ("kind", "apiVersion")} for each in page]
            kind, version = f"{self.kind}List", self.version
        return 200, {"kind": kind, "apiVersion": version, "metadata": about, "items": items}

    def get(self, request: Request) -> Said:
        return 200, self._held(request)

    def post(self, request: Request) -> Said:
        made = {**_merged({}, request.body), "kind": self.kind, "apiVersion": self.version}
        name = made.get("metadata", {}).get("name", "")
        with self.one_at_a_time:
            if request.namespace not in self.namespaces:
                said = f'namespaces "{request.namespace}" not found'
                raise Refused(404, "NotFound", said, name=request.namespace, kind="namespaces")
            if (request.namespace, name) in self.objects:
                said = f'{self.resource} "{name}" already exists'
                raise Refused(409, "AlreadyExists", said, **self.details(name))
            made["metadata"] = {
                **made.get("metadata", {}), "name": name, "namespace": request.namespace,
                "uid": str(uuid.uuid4()), "creationTimestamp": _now(),
            }  # fmt: skip
            owned = Owners.of(None)
            owned.update({}, made, request.manager)
            return 201, self._kept(request, name, made, owned)

    def put(self, request: Request) -> Said:
        with self.one_at_a_time:
            held = self._held(request)
            self._check_version(held, request.body.get("metadata", {}))
            made = {**request.body, "kind": self.kind, "apiVersion": self.version}
            return self._updated(request, held, made)

    def merge(self, request: Request) -> Said:
        with self.one_at_a_time:
            held = self._held(request)
            self._check_version(held, request.body.get("metadata", {}))
            return self._updated(request, held, _merged(held, request.body))

    def apply(self, request: Request) -> Said:
        about = request.body.get("metadata", {})
        with self.one_at_a_time:
            held = self.objects.get((request.namespace, request.name))
            if held is None and "uid" in about:
                said = f"uid mismatch: the provided object specified uid {about['uid']}, and no existing "
                raise self._conflict(request.name, f"{said}object was found")
            if held is None:  # whatever resourceVersion it names: a real server makes it, too
                fresh = {"metadata": {"name": request.name}}
                shell = self.post(Request(request.namespace, "", {"dryRun": "All"}, fresh))[1]
                shell["metadata"].pop("managedFields")
                created, held = True, shell
            else:
                created = False
                self._check_version(held, about)
            owned = Owners.of(held)
            force = request.query.get("force") == "true"
            made = owned.apply(held, request.body, request.manager, force=force)
            self._check(held, made)
            return (201 if created else 200), self._kept(request, request.name, made, owned)

    def delete(self, request: Request) -> Said:
        with self.one_at_a_time:
            held = self._held(request)
            asked = (request.body or {}).get("preconditions", {})
            for key, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
                if key in asked and asked[key] != held["metadata"][key]:
                    said = (
                        f"the {word} in the precondition ({asked[key]}) does not match the {word} in record "
                        f"({held['metadata'][key]}). The object might have been modified"
                    )
                    raise self._conflict(request.name, said)
            if not request.is_rehearsal:
                self.last += 1
                del self.objects[request.namespace, request.name]
            details = {**self.details(request.name), "uid": held["metadata"]["uid"]}
            return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                         "details": details}  # fmt: skip

    def _selected(self, request: Request) -> list[dict[str, Any]]:
        wanted = [each for each in request.query.get("labelSelector", "").split(",") if each]
        return [
            each
            for (namespace, _), each in sorted(self.objects.items())
            if namespace == request.namespace
            and all(_fits(each["metadata"].get("labels", {}), part) for part in wanted)
        ]

    def _held(self, request: Request) -> dict[str, Any]:
        with self.one_at_a_time:
            held = self.objects.get((request.namespace, request.name))
        if held is None:
            said = f'{self.resource} "{request.name}" not found'
            raise Refused(404, "NotFound", said, **self.details(request.name))
        return held

    def _check_version(self, held: dict[str, Any], about: dict[str, Any]) -> None:
        if about.get("resourceVersion", held["metadata"]["resourceVersion"]) != (
            held["metadata"]["resourceVersion"]
        ):
            said = "the object has been modified; please apply your changes to the latest version and "
            said += "try again"
            raise self._conflict(held["metadata"]["name"], said)
        if about.get("uid", held["metadata"]["uid"]) != held["metadata"]["uid"]:
            raise self._invalid(held["metadata"]["name"], "metadata.uid: field is immutable")

    def _conflict(self, name: str, said: str) -> Refused:
        whole = f'Operation cannot be fulfilled on {self.resource} "{name}": {said}'
        return Refused(409, "Conflict", whole, **self.details(name))

    def _invalid(self, name: str, said: str) -> Refused:
        whole = f'{self.kind} "{name}" is invalid: {said}'
        return Refused(422, "Invalid", whole, name=name, kind=self.kind)

    def _updated(self, request: Request, held: dict[str, Any], made: dict[str, Any]) -> Said:
        kept = {k: v for k, v in held["metadata"].items() if k in _OURS_ALONE}
        made["metadata"] = {**made.get("metadata", {}), **kept}
        self._check(held, made)
        owned = Owners.of(held)
        owned.update(held, made, request.manager)
        return 200, self._kept(request, request.name, made, owned)

    def _kept(self, request: Request, name: str, made: dict[str, Any], owned: Owners) -> dict[str, Any]:
        made = _tidied(made)
        self._check({}, made)
        made["metadata"]["managedFields"] = owned.shown(self.version)
        held = self.objects.get((request.namespace, name))
        if held is not None and _without_times(held) == _without_times(made):
            return held
        if request.is_rehearsal:
            return made
        self.last += 1
        made["metadata"]["resourceVersion"] = str(self.last)
        self.objects[request.namespace, name] = made
        return made

    def _check(self, held: dict[str, Any], made: dict[str, Any]) -> None:
        name, about = made["metadata"]["name"], made["metadata"]
        annotations = about.get("annotations", {})
        if not _NAME.fullmatch(name) or len(name) > 253:
            said = f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of'
            raise self._invalid(name, said)
        for each in [*annotations, *about.get("labels", {})]:
            if not _LABEL.fullmatch(each.rpartition("/")[2]) or len(each.rpartition("/")[2]) > 63:
                said = f'metadata.annotations: Invalid value: "{each}": name part must consist of'
                raise self._invalid(name, said)
        if sum(len(k) + len(v) for k, v in annotations.items()) > 262144:
            said = "metadata.annotations: Too long: may not be more than 262144 bytes"
            raise self._invalid(name, said)
        if self.kind == "Lease":
            self._check_lease(name, made.get("spec", {}))
        else:
            self._check_secret(name, held, made)

    def _check_secret(self, name: str, held: dict[str, Any], made: dict[str, Any]) -> None:
        made.setdefault("type", "Opaque")
        for each in made.get("data", {}):
            if not _FIELD.fullmatch(each) or len(each) > 253:
                said = f'data[{each}]: Invalid value: "{each}": a valid config key must consist of'
                raise self._invalid(name, said)
        try:
            size = sum(len(base64.b64decode(v, validate=True)) for v in made.get("data", {}).values())
        except binascii.Error:
            said = "unable to convert unstructured object to /v1, Kind=Secret: illegal base64 data"
            raise Refused(500, "", said) from None
        if size > 1024 * 1024:
            raise self._invalid(name, "data: Too long: may not be more than 1048576 bytes")
        if held.get("immutable") and held.get("data", {}) != made.get("data", {}):
            raise self._invalid(name, "data: Forbidden: field is immutable when `immutable` is set")

    def _check_lease(self, name: str, spec: dict[str, Any]) -> None:
        for each in ("acquireTime", "renewTime"):
            if each in spec and not _MICRO.fullmatch(str(spec[each])):
                said = f'Lease in version "v1" cannot be handled as a Lease: parsing time "{spec[each]}"'
                raise Refused(400, "BadRequest", said)
        if spec.get("leaseDurationSeconds", 1) <= 0:
            raise self._invalid(name, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0")


@dataclass
class Owners:
    """Which manager has which fields, by manager and by how it got them."""

    fields: dict[tuple[str, str], set[Path]] = field(default_factory=dict)
    times: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, held: dict[str, Any] | None) -> Owners:
        made = cls()
        for each in (held or {}).get("metadata", {}).get("managedFields", []):
            who = each["manager"], each["operation"]
            made.fields[who] = set(_unpacked(each["fieldsV1"]))
            made.times[who] = each["time"]
        return made

    def update(self, before: dict[str, Any], after: dict[str, Any], manager: str) -> None:
        """What changed is the manager's now, and nobody else's; what is gone is nobody's."""
        was, now = dict(_leaves(before)), dict(_leaves(after))
        changed = {path for path, value in now.items() if was.get(path) != value}
        for who, paths in self.fields.items():
            self.fields[who] = {p for p in paths if p in now and (p not in changed)}
        if changed:
            self._gain((manager, "Update"), changed)

    def apply(
        self, held: dict[str, Any], wanted: dict[str, Any], manager: str, *, force: bool
    ) -> dict[str, Any]:
        """Held, with what is wanted, and without what only this manager had before."""
        me = manager, "Apply"
        live, new = dict(_leaves(held)), dict(_leaves(wanted))
        changed = {path for path, value in new.items() if path in live and live[path] != value}
        others = [(who, path) for who in self.fields if who != me for path in self.fields[who] & changed]
        if others and not force:
            raise _contested(others)
        for who, path in others:
            self.fields[who].discard(path)
        made = copy.deepcopy(held)
        for path in self.fields.pop(me, set()) - new.keys():
            if not any(path in paths for paths in self.fields.values()):
                _put(made, path, None)
        for path, value in new.items():
            _put(made, path, value)
        self._gain(me, set(new))
        return made

    def _gain(self, who: tuple[str, str], paths: set[Path]) -> None:
        self.fields[who] = self.fields.get(who, set()) | paths
        self.times[who] = _now()

    def shown(self, version: str) -> list[dict[str, Any]]:
        return [
            {
                "manager": who[0], "operation": who[1], "apiVersion": version, "time": self.times[who],
                "fieldsType": "FieldsV1", "fieldsV1": _packed(paths),
            }
            for who, paths in sorted(self.fields.items(), key=lambda each: each[0][::-1])
            if paths
        ]  # fmt: skip


def _contested(others: list[tuple[tuple[str, str], Path]]) -> Refused:
    told = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{who}"', "field": _dotted(path)}
        for (who, _), path in others
    ]
    first = f"{told[0]['message']}: {told[0]['field']}"
    count = f"{len(others)} conflict{'s' * (len(others) > 1)}"
    return Refused(409, "Conflict", f"Apply failed with {count}: {first}", causes=told)


def _leaves(part: dict[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field that a manager can have."""
    for name, value in part.items():
        path = (*above, name)
        if path in _MAPS and isinstance(value, dict):
            yield from _leaves(value, path)
        elif path not in _UNOWNED:
            yield path, value


def _put(made: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        made = made.setdefault(part, {})
    if value is None:
        made.pop(path[-1], None)
    else:
        made[path[-1]] = value


def _packed(paths: set[Path]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for path in sorted(paths):
        at = whole
        for part in path:
            at = at.setdefault(f"f:{part}", {})
    return whole


def _unpacked(fields: dict[str, Any], above: Path = ()) -> Iterator[Path]:
    for name, inner in fields.items():
        path = (*above, name.removeprefix("f:"))
        yield from _unpacked(inner, path) if inner else [path]


def _dotted(path: Path) -> str:
    return "".join(f".{part}" for part in path)


def _merged(held: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = copy.deepcopy(held) if isinstance(held, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merged(made.get(name), value)
    return made


def _tidied(made: dict[str, Any]) -> dict[str, Any]:
    """Empty maps are left out, and `stringData` is data."""
    made = copy.deepcopy(made)
    for name, value in (made.pop("stringData", None) or {}).items():
        made.setdefault("data", {})[name] = base64.b64encode(value.encode()).decode()
    for where, name in ((made, "data"), (made["metadata"], "labels"), (made["metadata"], "annotations")):
        if name in where and not where[name]:
            del where[name]
    return made


def _without_times(found: dict[str, Any]) -> dict[str, Any]:
    about = dict(found["metadata"])
    about.pop("resourceVersion", None)
    about["managedFields"] = [{**each, "time": ""} for each in about.get("managedFields", [])]
    return {**found, "metadata": about}


def _fits(labels: dict[str, str], part: str) -> bool:
    if part.startswith("!"):
        return part[1:] not in labels
    name, is_pair, value = part.partition("=")
    return labels.get(name) == value.lstrip("=") if is_pair else name in labels


def _is_token(text: str) -> bool:
    try:
        return "start" in json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error):
        return False


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Act = Callable[[Shelf, Request], Said]
