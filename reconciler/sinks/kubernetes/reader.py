"""Looking at the Secrets of one namespace. Nothing here has a client that could write.

Our Secrets bear a label, so that one list brings them and no value of anybody else. But what counts are
the annotations: Secrets without the label are listed, too, without what they hold, and looked at one by
one where one has a receipt of ours all the same, or is wanted by name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkUnread
from reconciler.http import Answer, Json
from reconciler.kubernetes import is_missing
from reconciler.sinks.kubernetes.places import RECEIPT, REGISTRATION, Layout, Spot
from reconciler.sinks.receipt_text import Found
from reconciler.sinks.records import Record, Scan
from reconciler.sinks.rest import CONNECTIONS, Denied, Rest

LABEL: Final = "netbird-tokens/receipts"
_PAGE: Final = 500
_NAMES_ALONE: Final = {
    "Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
}


@dataclass(frozen=True, slots=True)
class Held:
    """One Secret, as the server shows it; without values where it was only listed.

    Attributes:
        uid: With the name, this Secret and no later one of the same name.
        version: Its resourceVersion, by which a write knows it again.
        data: Base64, by field.
    """

    name: str
    uid: str
    version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    data: Mapping[str, str] = field(repr=False)
    immutable: bool = False

    @property
    def fields(self) -> list[str]:
        """Those that have a receipt."""
        return [a.removeprefix(RECEIPT) for a in self.annotations if a.startswith(RECEIPT)]

    @property
    def is_ours(self) -> bool:
        """Whether it has a receipt or a registration."""
        return any(a.startswith((RECEIPT, REGISTRATION)) for a in self.annotations)


def found_at(held: Held | None, spot: Spot) -> Found:
    """What stands at a spot. Charts leave empty values as placeholders: they are no value."""
    if held is None:
        return Found()
    value = _text(held.data.get(spot.field) or "")
    return Found(held.annotations.get(spot.annotation), Secret(value) if value else None)


class SecretReader:
    """Looks. Its client can only GET."""

    def __init__(self, layout: Layout, rest: Rest) -> None:
        self.layout = layout
        self._rest = rest

    def scan(self, keys: Collection[str]) -> Scan:
        """Every receipt of the namespace, or of the shared Secret, and whatever is at `keys`."""
        wanted: dict[str, set[Spot]] = {}
        for key in keys:
            spot = self.layout.spot(key)
            wanted.setdefault(spot.secret, set()).add(spot)
        if self.layout.shared is not None:
            one = self.held(self.layout.shared)
            found: dict[str, Held | Unread] = {} if one is None else {one.name: one}
        else:
            found = self._all(wanted)
        records: dict[str, Record | Unread] = {}
        for name, held in found.items():
            spots = wanted.get(name, set())
            if isinstance(held, Unread):
                records |= {self.layout.key(spot): held for spot in spots}
                continue
            for spot in spots.union(Spot(name, each) for each in held.fields):
                records[self.layout.key(spot)] = Record(found_at(held, spot))
        home = found.get(self.layout.home)
        return Scan(records, dict(_registrations(home)) if isinstance(home, Held) else {})

    def held(self, name: str) -> Held | None:
        """One Secret as it is now; None if the server says that it is not there."""
        answer = self._rest.look(f"/{quote(name)}")
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"kind": "Secret"} as found)):
                held = _held(found)
            case _:
                held = None
        if held is None and not is_missing(answer, name):
            raise self._strange(answer)
        if held is not None and held.name != name:
            raise self._strange(answer)
        return held

    def _all(self, wanted: Collection[str]) -> dict[str, Held | Unread]:
        """Our Secrets, and those that are wanted, by name.

        Others come first: a Secret that gets its label in between is in both lists, not in neither.
        """
        others = list(self._listed(f"!{LABEL}", _NAMES_ALONE))
        ours = {held.name: held for held in self._listed(LABEL, {})}
        more = [each for each in others if each.is_ours or each.name in wanted]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            looked = zip(more, pool.map(self._looked_at, more), strict=True)
            found = {each.name: held for each, held in looked if held is not None}
        return found | ours

    def _looked_at(self, listed: Held) -> Held | Unread | None:
        """Whole. What has a receipt and may not be read makes all of it unread: nobody knows its keys."""
        try:
            return self.held(listed.name)
        except Denied as error:
            if listed.is_ours:
                raise
            return Unread(error.message)

    def _listed(self, selector: str, headers: Mapping[str, str]) -> Iterator[Held]:
        """All pages of one list, which are of one moment."""
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            answer = self._rest.look(f"?{urlencode(query)}", headers)
            match answer:
                case Answer(
                    status=HTTPStatus.OK,
                    content=Json({"items": list() | None as items, "metadata": dict(about)}),
                ):
                    pass
                case _:
                    raise self._strange(answer)
            for item in items or ():  # an empty list of names is null
                held = _held(item) if isinstance(item, dict) else None
                if held is None:
                    raise self._strange(answer)
                yield held
            if not about.get("continue"):
                return
            query["continue"] = str(about["continue"])

    def _strange(self, answer: Answer) -> SinkUnread:
        error = self._rest.unread(answer)
        return SinkUnread(error.message, hint="is the server of the kubeconfig Kubernetes?")


def _held(found: object) -> Held | None:
    """Without a `match`: there may be thousands, and that would copy each of them."""
    fields = found if isinstance(found, dict) else {}
    about = _texts(fields.get("metadata"))
    name, uid, version = (about.get(key) for key in ("name", "uid", "resourceVersion"))
    if not (isinstance(name, str) and isinstance(uid, str) and isinstance(version, str)):
        return None
    maps = (about.get("labels"), about.get("annotations"), fields.get("data"))
    if not all(each is None or isinstance(each, dict) for each in maps):
        return None  # what cannot be understood may hold anything
    return Held(
        name=name,
        uid=uid,
        version=version,
        labels=_texts(about.get("labels")),
        annotations=_texts(about.get("annotations")),
        data=_texts(fields.get("data")),
        immutable=fields.get("immutable") is True,
    )


def _texts(found: object) -> Mapping[str, Any]:
    """A map of texts, as far as servers go; what must be one is looked at where it counts."""
    return found if isinstance(found, dict) else {}


def _text(value: str) -> str:
    """Whatever it is, it can be compared; a server sends nothing but base64."""
    try:
        return base64.b64decode(value, validate=True).decode(errors="surrogateescape")
    except binascii.Error:
        return value


def _registrations(home: Held) -> Iterator[tuple[SetName, str]]:
    for name, text in home.annotations.items():
        if name.startswith(REGISTRATION):
            yield SetName(name.removeprefix(REGISTRATION)), text
