"""The schemas: valid draft-07, written for editors, strict; and the codes that problems carry."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from reconciler.source.codes import CODES
from reconciler.source.schema import schema_text
from reconciler.source.validator import prepared

NAMES = ["tokenset.v1", "config.v1"]
ALL = [*NAMES, "plan.v1", "report.v1", "drift.v1", "tokens.v1"]
SOURCE = Path(__file__).parents[2] / "reconciler" / "source"


def schema(name: str) -> Any:
    return json.loads(schema_text(name))


def fields(part: Any, definitions: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every property anywhere in a schema, with its `$ref` followed; conditions are no properties."""
    if not isinstance(part, dict):
        return
    for name, field in part.get("properties", {}).items():
        if field is not True:
            target = field.get("$ref", "").rsplit("/", 1)[-1]
            yield f"{path}.{name}", definitions[target] if target else field
    for key in part.keys() - {"if"}:
        for inner in part[key] if isinstance(part[key], list) else [part[key]]:
            yield from fields(inner, definitions, f"{path}.{key}")


def patterns(part: Any) -> set[str]:
    """Every pattern anywhere in a schema."""
    if isinstance(part, list):
        return set().union(*map(patterns, part))
    if not isinstance(part, dict):
        return set()
    own = {part["pattern"]} if isinstance(part.get("pattern"), str) else set()
    return own.union(*map(patterns, part.values()))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_valid_draft_07(name: str) -> None:
    assert schema(name)["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_explained_to_editors(name: str) -> None:
    whole = schema(name)
    found = list(fields(whole, whole["definitions"]))
    assert len(found) > 20
    bare = [
        path for path, field in found if not {"title", "description", "examples"} <= field.keys()
    ]
    assert bare == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_defaults_fit_their_own_fields(name: str) -> None:
    whole = schema(name)
    for path, field in fields(whole, whole["definitions"]):
        validator = Draft7Validator({**field, "definitions": whole["definitions"]})
        for value in [*field["examples"], *([field["default"]] if "default" in field else [])]:
            assert validator.is_valid(value), (path, value)


MULTI_LINE = {r"^[^\u0000]*$"}  # a word of a command may be a script


@pytest.mark.parametrize("pattern", sorted(set().union(*(patterns(schema(name)) for name in ALL))))
@settings(max_examples=10)
@given(data=st.data())
def test_no_pattern_lets_a_newline_follow(pattern: str, data: st.DataObject) -> None:
    assert (pattern[0], pattern[-1]) == ("^", "$")
    text = data.draw(st.from_regex(pattern[1:-1], fullmatch=True))
    field = prepared({"pattern": pattern})
    assert field.is_valid(text)
    assert field.is_valid(text + "\n") is (pattern in MULTI_LINE)
    assert not field.is_valid("\0" + text)


@pytest.mark.parametrize("name", ALL)
def test_patterns_mean_the_same_to_every_editor_and_language(name: str) -> None:
    differing = re.compile(
        r"\\(?!u[0-9a-f]{4})[a-zA-Z]|\(\?|[*+?}][+?]"
    )  # classes, lookaround, greed
    assert [each for each in patterns(schema(name)) if differing.search(each)] == []


@pytest.mark.parametrize(
    ("token", "fits"),
    [
        ({"name": "a"}, True),
        ({"name": "a", "expires_in": 1, "expires_on": "2026-01-01"}, False),
        ({"name": "a", "state": "absent"}, False),
        ({"name": "a", "state": "absent", "reason": "gone"}, True),
        ({"name": "a", "state": "absent", "reason": "gone", "user": "ci"}, True),
        ({"name": "a", "state": "absent", "reason": "gone", "expires_in": 1}, False),
        ({"name": "a", "reason": "gone"}, False),
        ({"name": "a", "previously": ["b"], "adopt": True}, True),
        ({"name": "a", "key": "b"}, False),
    ],
)
def test_editors_see_the_rules_that_span_fields(token: dict[str, object], *, fits: bool) -> None:
    document = {
        "apiVersion": "netbird-tokens/v1",
        "kind": "TokenSet",
        "name": "p",
        "tokens": [token],
    }
    assert Draft7Validator(schema("tokenset.v1")).is_valid(document) is fits


@pytest.mark.parametrize("field", ["name", "state", "reason", "previously", "adopt"])
def test_some_fields_make_no_sense_as_defaults(field: str) -> None:
    assert field not in schema("tokenset.v1")["properties"]["defaults"]["properties"]


def test_every_code_is_used_and_every_used_code_is_explained() -> None:
    modules = (file for file in SOURCE.glob("*.py") if file.name != "codes.py")
    used = {
        code for file in modules for code in re.findall(r'"(NB\d{3})"', file.read_text("utf-8"))
    }
    assert used == CODES.keys()


def test_the_package_needs_no_yaml_or_schema_reader_until_a_file_is_read() -> None:
    check = (
        "import sys, reconciler.source.build, reconciler.source.config;"
        "print({'yaml', 'jsonschema'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
