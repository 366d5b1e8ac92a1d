"""Words for problems: what stands there, and what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from reconciler.source.nodes import Map, Node, Scalar, Seq
from reconciler.source.problems import quoted

_YES: Final = frozenset(("yes", "y", "on", "true"))
_NO: Final = frozenset(("no", "n", "off", "false"))
_LARGEST: Final = 10**9  # beyond this nobody means a number of anything here
_COUNT: Final = re.compile(r"0{0,20}([0-9][0-9_]{0,9})\s*(?:d|days?)?", re.IGNORECASE)
_NEEDS_NO_QUOTES: Final = re.compile(r"(?![0-9]+$)[A-Za-z0-9][\w ./:*%-]*")


def label(path: tuple[str | int, ...]) -> str:
    """What to call the value at a path, which is never the whole file."""
    last = path[-1]
    if isinstance(last, str):
        return f'"{last}"'
    return f"an entry of {label(path[:-1])}"


def got(node: Node, *, of_kind: bool) -> str:
    """What stands there instead; nothing for a list or mapping whose kind is right."""
    match node:
        case Seq() | Map() if of_kind:
            return ""
        case Seq():
            return ", not a list"
        case Map():
            return ", not a mapping"
        case Scalar(value=None):
            return ", not empty"
        case Scalar(value=str() as text):
            return f", not {quoted(text)}" if of_kind else f", not the text {quoted(text)}"
        case Scalar(text=text):
            return f", not {text}"


def rewritten(node: Node, fits: Callable[[object], bool]) -> str | None:
    """The value spelled so that the field takes it, if there is a likely spelling."""
    if not isinstance(node, Scalar) or node.value is None:
        return None
    for candidate in _candidates(node):
        if fits(candidate):
            return json.dumps(candidate, ensure_ascii=False)
    return None


def example(step: str | int, field: Mapping[str, Any]) -> str:
    """What to write, as the schema's first example has it: `key: value`, or the value in a list."""
    examples = field.get("examples")
    value = _as_yaml(examples[0]) if examples else "…"
    return f"{step}: {value}" if isinstance(step, str) else value


def _candidates(node: Scalar) -> Iterator[object]:
    text = node.text
    count = _COUNT.fullmatch(text)
    if count:
        yield int(count[1].replace("_", ""))
    if isinstance(node.value, float) and node.value.is_integer() and abs(node.value) < _LARGEST:
        yield int(node.value)
    if text.lower() in _YES | _NO:
        yield text.lower() in _YES
    yield text
    yield [node.value]


def _as_yaml(value: object) -> str:
    match value:
        case str() if _NEEDS_NO_QUOTES.fullmatch(value):
            return value
        case list():
            return f"[{', '.join(map(_as_yaml, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}: {_as_yaml(item)}" for key, item in value.items()) + "}"
        case _:
            return json.dumps(value, ensure_ascii=False)
