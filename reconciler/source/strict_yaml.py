"""YAML to nodes with positions: no duplicate keys, no tags, no surprises, no bombs (DESIGN §3).

libyaml reads the events, we build the tree: so depth and aliases are capped while reading, and
scalars mean what `nodes` says. Limits are generous: 10,000 tokens use a tenth of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml

from reconciler.source.nodes import Map, Node, Pair, Scalar, Seq, plain_scalar
from reconciler.source.problems import START, Problem, Span, quoted
from reconciler.source.text import Source, Unreadable, forbidden_character
from reconciler.source.yaml_errors import WRITE_IT, syntax_problem

MAX_DEPTH: Final = 50
MAX_NODES: Final = 2_000_000
MAX_ALIASES: Final = 1_000
MAX_REPEATED: Final = 100_000
_TEXT_PER_VALUE: Final = 100  # characters; a longer text weighs as much as several values
_HALF: Final = re.compile("[\ud800-\udfff]")
_MERGE: Final = "<<"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # without libyaml: the same, slower


def parse(source: Source) -> tuple[Node, list[Problem]]:
    """The one document of a file, and what is wrong with it. Raises Unreadable if there is none."""
    problem = forbidden_character(source)
    if problem:
        raise Unreadable(problem)
    composer = _Composer(source)
    try:
        return composer.document(), composer.problems
    except yaml.MarkedYAMLError as error:
        raise Unreadable(syntax_problem(source, error)) from None


class _Composer:
    """Builds the tree of one file from its events."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._events: Iterator[yaml.Event] = yaml.parse(source.text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = self._aliases = self._repeated = self._text = 0

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise self._stop(
                "NB111", Span(1, 1), "the file is empty", "write a set, or remove the file"
            )
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        following = next(self._events)
        if isinstance(following, yaml.DocumentStartEvent):
            self._report(
                "NB112",
                _span(following),
                "a second document starts here",
                "give it a file of its own",
            )
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        span = _span(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor or "", span)
        if depth > MAX_DEPTH:
            raise self._stop("NB108", span, f"this is nested more than {MAX_DEPTH} levels deep", "")
        if self._nodes >= MAX_NODES:
            raise self._stop("NB108", span, f"the file holds more than {MAX_NODES:,} values", "")
        before = self._weight()
        self._nodes += 1
        node = self._built(event, span, depth)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = (node, self._weight() - before)
        return node

    def _weight(self) -> int:
        """Of all that was built so far, in values."""
        return self._nodes + self._repeated + self._text // _TEXT_PER_VALUE

    def _built(self, event: yaml.Event, span: Span, depth: int) -> Node:
        tag = getattr(event, "tag", None)
        if tag:
            short = quoted(tag.replace("tag:yaml.org,2002:", "!!"))
            self._report("NB109", span, f"the tag {short} is not allowed", "remove the tag")
        if isinstance(event, yaml.ScalarEvent):
            self._text += len(event.value)
            if _HALF.search(event.value):  # libyaml has stopped at it before
                self._report("NB101", span, "an escape is half a character", WRITE_IT)
            if _is_plain(event):
                return plain_scalar(event.value, span)
            return Scalar(event.value, event.value, span)
        if isinstance(event, yaml.SequenceStartEvent):
            return Seq(tuple(self._items(depth)), span)
        return self._map(span, depth)

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _map(self, span: Span, depth: int) -> Map:
        pairs: dict[str, Pair] = {}
        merges = False
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            merges |= isinstance(event, yaml.ScalarEvent) and _is_merge(event)
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                self._report("NB109", key.span, "a key must be text", "write the key as plain text")
            elif key.text in pairs:
                self._duplicate(key, pairs[key.text].key)
            else:
                pairs[key.text] = Pair(key, value)
        if merges and (merge := pairs.pop(_MERGE, None)):
            self._merge(merge.value, pairs)
        return Map(pairs, span)

    def _merge(self, merge: Node, pairs: dict[str, Pair]) -> None:
        """What `<<` brings in; keys that are there already win."""
        for part in merge.items if isinstance(merge, Seq) else (merge,):
            if isinstance(part, Map):
                for key, pair in part.pairs.items():
                    pairs.setdefault(key, pair)
            else:
                message, fix = "only mappings can be merged with <<", "name one: <<: *anchor"
                self._report("NB109", part.span, message, fix)

    def _duplicate(self, key: Scalar, first: Scalar) -> None:
        message = f"duplicate key {quoted(key.text)}, first written in line {first.span.line}"
        fix = "write <<: [*a, *b]" if key.text == _MERGE else "remove one of the two"
        self._report("NB103", key.span, message, fix)

    def _alias(self, anchor: str, span: Span) -> Node:
        known = self._anchors.get(anchor)
        if known is None:
            message = f"the alias {quoted('*' + anchor)} has no complete anchor before it"
            raise self._stop(
                "NB109", span, message, f"define &{anchor} earlier, or write the value"
            )
        node, size = known
        self._aliases += 1
        self._repeated += size
        if self._aliases > MAX_ALIASES or self._repeated > MAX_REPEATED:
            raise self._stop(
                "NB108", span, "the aliases of this file repeat too much", "use `defaults` instead"
            )
        return node

    def _report(self, code: str, span: Span, message: str, fix: str) -> None:
        self.problems.append(self._source.problem(code, span, message, fix))

    def _stop(self, code: str, span: Span, message: str, fix: str) -> Unreadable:
        return Unreadable(self._source.problem(code, span, message, fix))


def _is_plain(event: yaml.ScalarEvent) -> bool:
    """Whether it was written without quotes."""
    return not event.style


def _is_merge(event: yaml.ScalarEvent) -> bool:
    """Whether it is the sign that brings in other mappings; in quotes it is a key like any other."""
    return _is_plain(event) and event.value == _MERGE


def _span(event: yaml.Event) -> Span:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:  # the reader always sets both
        return START
    width = end.column - start.column if end.line == start.line else 0
    if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent | yaml.DocumentStartEvent):
        width = 1
    return Span(start.line + 1, start.column + 1, width)
