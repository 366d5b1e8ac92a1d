"""jsonschema's validator as we use it: whole numbers only, and each part of a schema prepared once.

Left alone, jsonschema prepares a validator anew for every value that it looks at, which is half of
its work; it lets a newline follow any pattern; and it compares the items of a mixed list each with
each. The keywords below are written here for these reasons alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

Schema = Mapping[str, Any]
_Errors = Iterator[ValidationError]
_PREPARED: Final[dict[int, Draft7Validator]] = {}


def prepared(schema: Schema) -> Draft7Validator:
    """The validator of a schema without `$ref`, or of a part of one."""
    key = id(schema)  # the validator keeps its schema alive, so nothing else ever has this id
    if key not in _PREPARED:
        _PREPARED[key] = _Validator(schema)
    return _PREPARED[key]


def matches(pattern: str, text: str) -> bool:
    """Whether a schema's pattern, which begins with `^` and ends with `$`, fits the text.

    In ECMA-262, the language of these patterns, `$` is the end; Python's is also before a last newline.
    """
    return re.fullmatch(pattern, text) is not None


def _pattern(_: Draft7Validator, pattern: str, value: object, schema: Schema) -> _Errors:
    if not isinstance(value, str) or len(value) > schema.get("maxLength", len(value)):
        return  # to match megabytes may take a gigabyte, and that they are too long is said anyway
    if not matches(pattern, value):
        yield ValidationError("no match")


def _unique_items(_: Draft7Validator, wanted: object, value: object, __: Schema) -> _Errors:
    items = value if wanted and isinstance(value, list) else []
    if len({json.dumps(item, sort_keys=True) for item in items}) < len(items):
        yield ValidationError("not unique")


def _properties(_: Draft7Validator, properties: Schema, value: object, __: Schema) -> _Errors:
    for key, field in value.items() if isinstance(value, dict) else ():
        if key in properties:
            yield from _within(key, properties[key], field)


def _items(_: Draft7Validator, items: Schema, value: object, __: Schema) -> _Errors:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _within(index, items, item)


def _if(_: Draft7Validator, condition: Schema, value: object, schema: Schema) -> _Errors:
    branch = "then" if prepared(condition).is_valid(value) else "else"
    if branch in schema:
        yield from prepared(schema[branch]).iter_errors(value)


def _within(step: str | int, schema: Schema, value: object) -> _Errors:
    for error in prepared(schema).iter_errors(value):
        error.path.appendleft(step)
        yield error


# jsonschema's own hints: `extend` has none
_Validator: Final[type[Draft7Validator]] = extend(  # type: ignore[no-untyped-call]
    Draft7Validator,
    {
        "properties": _properties,
        "items": _items,
        "if": _if,
        "pattern": _pattern,
        "uniqueItems": _unique_items,
    },
    type_checker=Draft7Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
