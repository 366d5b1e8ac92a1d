"""GitLab's API on loopback, as far as CI/CD variables go; written after GitLab's source.

What it takes seriously: a variable is made once for each environment scope and then only updated, a filter
must name the scope where there are several, hidden values are never given back, and older servers and
smaller plans silently leave out what they cannot do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from fakes.serving import Request, Said, serving

_KEY = re.compile(r"[a-zA-Z0-9_]{1,255}")
_MASKABLE = re.compile(r"[a-zA-Z0-9_+=/@:.~-]{8,}")
_FIELDS = ("value", "protected", "masked", "raw", "variable_type", "environment_scope", "description")
_DEFAULTS = {
    "variable_type": "env_var",
    "hidden": False,
    "protected": False,
    "masked": False,
    "raw": False,
    "environment_scope": "*",
    "description": None,
}
_MANY = "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
_IDS = {"projects/42": "projects/acme%2Finfra", "groups/7": "groups/acme"}
"""GitLab takes an id for a path everywhere."""
Variable = dict[str, Any]


@dataclass
class Token:
    """`scope` is `api` or `read_api`; `owns` are the projects and groups whose variables it may reach."""

    scope: str = "api"
    owns: tuple[str, ...] = ("projects/acme%2Finfra", "groups/acme")
    sees: tuple[str, ...] = ()


@dataclass
class Gitlab:
    """`refusals`: what it says to the next requests instead. `pays`: whether groups have scopes."""

    version: tuple[int, int] = (18, 5)
    pays: bool = True
    tokens: dict[str, Token] = field(default_factory=dict)
    variables: dict[str, list[Variable]] = field(
        default_factory=lambda: {"projects/acme%2Finfra": [], "groups/acme": []}
    )
    refusals: list[Said] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def served(self) -> Iterator[Self]:
        with serving(self.handle) as self.url:
            yield self

    def token(self, token: Token | None = None) -> str:
        name = f"glpat-{len(self.tokens) + 1:020d}"
        self.tokens[name] = token or Token()
        return name

    def read(self, owner: str, key: str, scope: str = "*") -> str | None:
        """What a job gets."""
        held = _chosen(self.variables[owner], key, scope)
        return held[0]["value"] if held else None

    def handle(self, request: Request) -> Said:
        if self.refusals:
            return self.refusals.pop(0)
        headers = {name.lower(): value for name, value in request.headers.items()}
        named = headers.get("private-token") or headers.get("authorization", "").partition(" ")[2]
        token = self.tokens.get(named)
        if token is None:
            return Said(401, {"message": "401 Unauthorized"})
        kind, _, rest = request.path.removeprefix("/api/v4/").partition("/")
        owner, _, below = rest.partition("/")
        place, kind_name = f"{kind}/{owner}", kind.removesuffix("s").capitalize()
        place = _IDS.get(place, place)
        if token.scope != "api" and request.method != "GET":
            told = "The request requires higher privileges than provided by the access token."
            return Said(403, {"error": "insufficient_scope", "error_description": told})
        if place not in token.owns:
            if place in token.sees:
                return Said(403, {"message": "403 Forbidden"})
            return Said(404, {"message": f"404 {kind_name} Not Found"})
        if not below:
            number = next(int(each.partition("/")[2]) for each, named in _IDS.items() if named == place)
            return Said(200, {"id": number, "web_url": f"https://gitlab.example/{place}"})
        noun = "Variable" if kind == "projects" else "GroupVariable"
        return self._variable(self.variables[place], below.split("/")[1:], request, noun)

    def _variable(self, held: list[Variable], steps: list[str], request: Request, noun: str) -> Said:
        body = request.body if isinstance(request.body, dict) else {}
        if not steps:
            return self._listed(held, request) if request.method == "GET" else self._made(held, body, noun)
        scope = request.query.get("filter[environment_scope]")
        scope = body.get("filter[environment_scope]", scope)
        scope = (body.get("filter") or {}).get("environment_scope", scope)
        found = _chosen(held, steps[0], scope)
        if len(found) > 1:
            return Said(409, {"message": f"409 {_MANY}"})
        if not found:
            return Said(404, {"message": f"404 {noun} Not Found"})
        if request.method == "GET":
            return Said(200, self._shown(found[0]))
        if request.method == "DELETE":
            held.remove(found[0])
            return Said(204)
        changed = {**found[0], **self._taken(body, noun)}
        if changed["hidden"] and not changed["masked"]:
            told = "Updating masked attribute is not allowed on updates for hidden variables."
            return Said(400, {"message": {"base": [told]}})
        return _invalid(changed) or self._kept(found[0], changed, 200)

    def _made(self, held: list[Variable], body: dict[str, Any], noun: str) -> Said:
        if "key" not in body or "value" not in body:
            return Said(400, {"error": "key is missing, value is missing"})
        made = {"key": body["key"].strip(), **_DEFAULTS, **self._taken(body, noun)}
        if body.get("masked_and_hidden") and self.version >= (17, 4):
            made |= {"masked": True, "hidden": True}
        if _chosen(held, made["key"], made["environment_scope"]):
            return Said(400, {"message": {"key": [f"({made['key']}) has already been taken"]}})
        if invalid := _invalid(made):
            return invalid
        held.append(made)
        return self._kept(made, made, 201)

    def _taken(self, body: dict[str, Any], noun: str) -> Variable:
        """Of what was sent, what this server knows."""
        known = {name: body[name] for name in _FIELDS if name in body}
        if self.version < (16, 2):
            known.pop("description", None)
        if noun == "GroupVariable" and not self.pays:
            known.pop("environment_scope", None)
        return {name: {"true": True, "false": False}.get(str(v).lower(), v) for name, v in known.items()}

    def _kept(self, held: Variable, changed: Variable, status: int) -> Said:
        held.update(changed)
        return Said(status, self._shown(held))

    def _shown(self, held: Variable) -> Variable:
        shown = {**held, "value": None} if held["hidden"] else dict(held)
        if self.version < (16, 2):
            shown.pop("description")
        if self.version < (17, 4):
            shown.pop("hidden")
        return shown

    def _listed(self, held: list[Variable], request: Request) -> Said:
        size, page = int(request.query.get("per_page", 20)), int(request.query.get("page", 1))
        part = held[(page - 1) * size : page * size]
        more = str(page + 1) if page * size < len(held) else ""
        headers = {"X-Total": str(len(held)), "X-Next-Page": more, "X-Per-Page": str(size)}
        return Said(200, [self._shown(each) for each in part], headers)


def _chosen(held: list[Variable], key: str, scope: str | None) -> list[Variable]:
    fits = [each for each in held if each["key"] == key]
    return [each for each in fits if scope in (None, each["environment_scope"])]


def _invalid(variable: Variable) -> Said | None:
    wrong: dict[str, list[str]] = {}
    if not _KEY.fullmatch(variable["key"]):
        wrong["key"] = ["can contain only letters, digits and '_'."]
    if variable["masked"] and not _MASKABLE.fullmatch(variable["value"]):
        wrong["value"] = ["is invalid"]
    if len(variable["description"] or "") > 255:
        wrong["description"] = ["is too long (maximum is 255 characters)"]
    return Said(400, {"message": wrong}) if wrong else None
