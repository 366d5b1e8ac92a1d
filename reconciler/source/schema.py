"""A parsed file against its JSON Schema (draft-07); each failure becomes one sentence of ours.

The schemas' `errorMessage` says what a value must be, in editors (yaml-language-server shows it) and
here alike. `not` is for editors only: those rules span fields, and `tokens` has better words for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

from jsonschema import Draft7Validator, ValidationError

from reconciler.source.advice import example, got, label, rewritten
from reconciler.source.guess import Guess
from reconciler.source.nodes import Map, Node, descend, plain
from reconciler.source.problems import Problem, quoted
from reconciler.source.text import Source
from reconciler.source.validator import Schema, prepared

_NOT_FOR_US: Final = ("definitions", "not")


def schema_text(name: str) -> str:
    """The text of a schema such as `tokenset.v1`: from the wheel, or from the checkout."""
    file = f"{name}.schema.json"
    shipped = files("reconciler") / "schemas" / file
    if shipped.is_file():
        return shipped.read_text("utf-8")
    return (Path(__file__).parents[2] / "schemas" / file).read_text("utf-8")


def schema_problems(source: Source, root: Node, name: str) -> tuple[list[Problem], frozenset[int]]:
    """All that the schema finds wrong, and the ids of the nodes that are, or hold, something wrong."""
    problems: dict[Problem, None] = {}
    flawed: set[int] = set()
    for error in prepared(inlined(name)).iter_errors(plain(root)):
        path = tuple(error.absolute_path)
        flawed.update(id(descend(root, path[:length])) for length in range(len(path) + 1))
        problems.update(dict.fromkeys(_problems(source, root, error)))
    return list(problems), frozenset(flawed)


def defaults(name: str, definition: str) -> dict[str, object]:
    """The default of every property of one definition that has one; none if there is no definition."""
    properties = (
        json.loads(schema_text(name))["definitions"].get(definition, {}).get("properties", {})
    )
    return {
        key: field["default"]
        for key, field in properties.items()
        if isinstance(field, dict) and "default" in field
    }


@lru_cache
def inlined(name: str) -> Schema:
    """A schema with each `$ref` replaced by what it names, and without what is not for us."""
    document = json.loads(schema_text(name))
    return cast("Schema", _inlined(document, document["definitions"]))


@lru_cache
def tolerant(name: str) -> Draft7Validator:
    """The check of a document that a newer minor version may have written: unknown keys are passed over."""
    return prepared(_open(inlined(name)))


def _open(part: Any) -> Any:
    if isinstance(part, list):
        return [_open(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {key: _open(value) for key, value in part.items() if key != "additionalProperties"}


def _inlined(part: Any, definitions: Schema) -> Any:
    if isinstance(part, list):
        return [_inlined(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inlined(definitions[part["$ref"].rsplit("/", 1)[-1]], definitions)
    return {
        key: _inlined(value, definitions) for key, value in part.items() if key not in _NOT_FOR_US
    }


def _problems(source: Source, root: Node, error: ValidationError) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    node, schema = descend(root, path), cast("Schema", error.schema)
    if "propertyNames" in error.relative_schema_path:
        yield _forbidden_name(source, node, schema, error)
    elif error.validator == "additionalProperties":
        yield from _unknown_keys(source, node, schema["properties"])
    elif error.validator == "required":
        yield from _missing_keys(source, node, schema)
    else:
        yield _wrong_value(source, node, path, error)


def _forbidden_name(source: Source, node: Node, schema: Schema, error: ValidationError) -> Problem:
    key = str(error.instance)
    span = node.pairs[key].key.span if isinstance(node, Map) else node.span
    fix = "rename it" if error.validator == "pattern" else "remove it"
    return source.problem("NB107", span, f"{quoted(key)} {schema['errorMessage']}", fix)


def _unknown_keys(source: Source, node: Node, known: Schema) -> Iterator[Problem]:
    pairs = node.pairs if isinstance(node, Map) else {}
    fix = f"remove it; known keys: {', '.join(known)}"
    for key in pairs.keys() - known.keys():
        problem = source.problem("NB104", pairs[key].key.span, f"unknown key {quoted(key)}", fix)
        yield replace(problem, guess=Guess(key, known, "rename the key to {}"))


def _missing_keys(source: Source, node: Node, schema: Schema) -> Iterator[Problem]:
    pairs = node.pairs if isinstance(node, Map) else {}
    for key in schema["required"]:
        if key not in pairs:
            field = schema.get("properties", {}).get(key, {})
            yield source.problem(
                "NB105", node.span, f'the key "{key}" is missing', f"add {example(key, field)}"
            )


def _wrong_value(
    source: Source, node: Node, path: tuple[str | int, ...], error: ValidationError
) -> Problem:
    schema = cast("Schema", error.schema)
    choices = _choices(schema)
    wanted = schema.get("errorMessage") or _wanted(schema, choices)
    message = f"{label(path)} {wanted}{got(node, of_kind=error.validator != 'type')}"
    code = "NB106" if error.validator == "type" else "NB107"
    problem = source.problem(code, node.span, message, _fix(node, path[-1], schema))
    if not choices:
        return problem
    return replace(problem, guess=Guess(str(plain(node)), choices, "write {}"))


def _choices(schema: Schema) -> list[str]:
    """What the value may be; of a field with alternatives, those that have names."""
    return [each for part in (schema, *schema.get("anyOf", ())) for each in part.get("enum", ())]


def _fix(node: Node, step: str | int, schema: Schema) -> str:
    if "const" in schema:
        wanted = schema["const"]
        return f"write {wanted if isinstance(wanted, str) else json.dumps(wanted)}"
    better = rewritten(node, prepared(schema).is_valid)
    if better:
        return f"write {better}"
    return f"for example {example(step, schema)}" if "examples" in schema else ""


def _wanted(schema: Schema, choices: list[str]) -> str:
    if choices:
        return f"must be one of {', '.join(choices)}"
    kinds = {"object": "a mapping (`key: value` lines)", "array": "a list", "string": "text"}
    return f"must be {kinds.get(schema.get('type', ''), 'another kind of value')}"
