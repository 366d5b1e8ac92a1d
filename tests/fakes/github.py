"""GitHub's API on loopback, as far as secrets and variables of Actions go; written after its documentation.

What it takes seriously: each place has a public key of its own, a secret is never given back, a time has
whole seconds, an update forgets selected repositories, lists come in pages, and whoever may not see a place
is told 404.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

from fakes.serving import Request, Said, serving
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

ALL = {"secrets": "write", "variables": "write"}
_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*")
_MOST = {"secrets": 100, "variables": 30}
_KEY = {"secrets": {"encrypted_value", "key_id"}, "variables": {"name", "value"}}
_NOT_FOUND = Said(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
_FORBIDDEN = Said(403, {"message": "Resource not accessible by personal access token"})


@dataclass
class Place:
    """A repository, an environment or an organisation."""

    key: PrivateKey = field(default_factory=PrivateKey.generate)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    selected: dict[str, list[int]] = field(default_factory=dict)
    is_organization: bool = False

    def read(self, name: str) -> str | None:
        """What a job gets; rubbish where the box was closed for another place."""
        held = self.secrets.get(name.upper())
        if held is None:
            return None
        try:
            box = SealedBox(self.key)
            return box.decrypt(base64.b64decode(held["encrypted_value"])).decode()
        except CryptoError:
            return "rubbish"


def _places() -> dict[str, Place]:
    return {
        "repos/acme/infra/actions": Place(),
        "repos/acme/infra/environments/production%2Feu": Place(),
        "orgs/acme/actions": Place(is_organization=True),
    }


@dataclass
class Github:
    """`tokens`: what each may do where. `refusals`: what it says to the next requests instead.

    `unseen`: repositories that no token sees; they are counted, and not named.
    """

    places: dict[str, Place] = field(default_factory=_places)
    tokens: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    repositories: dict[str, int] = field(default_factory=lambda: {"infra": 7, "web": 8, "docs": 9})
    refusals: list[Said] = field(default_factory=list)
    unseen: set[int] = field(default_factory=set)
    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    url: str = ""

    @contextmanager
    def served(self) -> Iterator[Self]:
        with serving(self.handle) as self.url:
            yield self

    def token(self, **rights: str) -> str:
        """One that may do this everywhere."""
        name = f"github_pat_{len(self.tokens) + 1:020d}"
        self.tokens[name] = {place: {**ALL, **rights} for place in self.places}
        return name

    def handle(self, request: Request) -> Said:
        """By its own clock."""
        said = self.refusals.pop(0) if self.refusals else self._answered(request)
        return replace(said, headers={"Date": format_datetime(self.now, usegmt=True), **said.headers})

    def _answered(self, request: Request) -> Said:
        token = request.headers.get("Authorization", "").partition(" ")[2]
        if token not in self.tokens:
            return Said(401, {"message": "Bad credentials"})
        path = request.path.removeprefix("/api/v3").strip("/")
        if request.method == "GET" and path.startswith("repos/acme/") and path.count("/") == 2:
            number = self.repositories.get(path.rpartition("/")[2])
            page = f"https://github.example/{path.removeprefix('repos/')}"
            return _NOT_FOUND if number is None else Said(200, {"id": number, "html_url": page})
        if (request.method, path) == ("GET", "orgs/acme"):
            return Said(200, {"id": 1, "html_url": "https://github.example/acme"})
        for prefix, place in self.places.items():
            if path.startswith(f"{prefix}/"):
                rights = self.tokens[token].get(prefix, {})
                return self._at(place, path.removeprefix(f"{prefix}/").split("/"), request, rights)
        return _NOT_FOUND

    def _at(self, place: Place, steps: list[str], request: Request, rights: dict[str, str]) -> Said:
        kind, name = steps[0], (steps[1:] or [""])[0].upper()
        if kind not in rights or kind not in _MOST:
            return _NOT_FOUND
        if request.method != "GET" and rights[kind] != "write":
            return _FORBIDDEN
        if steps == ["secrets", "public-key"]:
            public = base64.b64encode(bytes(place.key.public_key)).decode()
            return Said(200, {"key_id": f"id-{public[:8]}", "key": public})
        if len(steps) == 3:
            ids = [{"id": number} for number in place.selected.get(name, [])]
            said = _page(ids, "repositories", 100, request.query)
            seen = [each for each in said.document["repositories"] if each["id"] not in self.unseen]
            return Said(200, {**said.document, "repositories": seen})
        held = place.secrets if kind == "secrets" else place.variables
        if request.method == "GET":
            return self._looked(kind, name, held, request.query)
        if request.method == "DELETE":
            return _NOT_FOUND if held.pop(name, None) is None else Said(204)
        return self._written(place, kind, name, request)

    def _looked(
        self, kind: str, name: str, held: dict[str, dict[str, Any]], query: dict[str, str]
    ) -> Said:
        hidden = {"encrypted_value", "key_id"}
        shown = {n: {k: v for k, v in each.items() if k not in hidden} for n, each in held.items()}
        if not name:
            return _page([shown[each] for each in sorted(shown)], kind, _MOST[kind], query)
        return Said(200, shown[name]) if name in shown else _NOT_FOUND

    def _written(self, place: Place, kind: str, name: str, request: Request) -> Said:
        body = request.body or {}
        wanted = _KEY[kind] | ({"visibility"} if place.is_organization else set())
        missing = [] if request.method == "PATCH" else sorted(wanted - body.keys())
        name = name or str(body.get("name", "")).upper()
        if missing:
            quoted = ", ".join(f'"{each}"' for each in missing)
            return Said(422, {"message": f"Invalid request.\n\n{quoted} weren't supplied."})
        if not _NAME.fullmatch(name) or len(str(body.get("value", ""))) > 48 * 1024:
            return Said(422, {"message": f"{kind} name or value is invalid"})
        held = place.secrets if kind == "secrets" else place.variables
        is_new = name not in held
        if request.method == "PATCH" and is_new:
            return _NOT_FOUND
        if request.method == "POST" and not is_new:
            return Said(409, {"message": "Already exists - Variable already exists"})
        self.now += timedelta(seconds=1)
        stamp = self.now.isoformat().replace("+00:00", "Z")
        made = stamp if is_new else held[name]["created_at"]
        fields = {k: v for k, v in body.items() if k != "selected_repository_ids"}
        before = {} if is_new else held[name]
        held[name] = {**before, **fields, "name": name, "created_at": made, "updated_at": stamp}
        if place.is_organization and kind == "secrets":
            place.selected[name] = list(body.get("selected_repository_ids", []))
        return Said(201, {}) if is_new else Said(204)


def _page(entries: list[dict[str, Any]], field_name: str, most: int, query: dict[str, str]) -> Said:
    size = min(int(query.get("per_page", 30)), most)
    start = (int(query.get("page", 1)) - 1) * size
    return Said(200, {"total_count": len(entries), field_name: entries[start : start + size]})
