"""Where a token's secret goes: names of sinks and keys to places that the sinks can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.receipts import Place, SetName, SinkName
from reconciler.source.guess import Guess
from reconciler.source.nodes import Map, Node, Scalar, Seq
from reconciler.source.problems import Problem, quoted
from reconciler.source.written import LOCAL, Written

MAX_PLACES: Final = 500_000
FILES: Final = SinkName("")
"""Stands for every sink whose keys are files."""


@dataclass(frozen=True, slots=True)
class PlaceWritten:
    """A place, the token that asks for it, and the value to point at.

    Attributes:
        above: Canonical places that would be folders on the way to this one.
    """

    place: Place
    canonical: Place
    above: tuple[Place, ...]
    written: Written
    node: Node

    def __str__(self) -> str:
        where = self.written.document.source.at(self.node)
        return f"{quoted(self.written.name)} at {where}:{where.column}"


@dataclass(frozen=True, slots=True)
class Wish:
    """One entry of `sinks`, or what stands for it when nothing is written.

    Attributes:
        key: None: the sink's default key.
    """

    sink: SinkName
    sink_node: Node
    key: str | None
    key_node: Node


def places(
    written: Written, set_name: SetName, keys: Mapping[SinkName, KeyRule]
) -> Iterator[PlaceWritten | Problem]:
    """The places of one entry, or what is wrong with them."""
    if written.sound("sinks"):
        for wish in _wishes(written):
            rule = keys.get(wish.sink)
            yield _place(written, set_name, wish, rule) if rule else _unknown(written, wish, keys)


def too_many(specs: Iterable[Written]) -> Iterator[Problem]:
    """Whether they ask for more places than any set needs: `defaults` multiply what stands in them."""
    count = 0
    for written in specs:
        node = written.find("sinks")
        count += len(node.items) if isinstance(node, Seq) else 1
        if count > MAX_PLACES:
            message = f"up to here the set asks for more than {MAX_PLACES:,} places of secrets"
            fix = "name fewer sinks, or split it into several sets"
            yield written.problem("NB108", written.name_node, message, fix)
            return


def clashes(wanted: list[PlaceWritten]) -> Iterator[Problem]:
    """Every place that is asked for twice, by whomever."""
    first: dict[Place, PlaceWritten] = {}
    for later in wanted:
        earlier = first.setdefault(later.canonical, later)
        if earlier is not later and not _is_same_entry_twice(earlier.written, later.written):
            yield later.written.problem(
                "NB202",
                later.node,
                f"{quoted(str(later.place))} is already the place of {earlier}",
                f"give {quoted(later.written.name)} a key of its own:"
                f" {{sink: {later.place.sink}, key: …}}",
            )

    for nested in wanted:
        for above in nested.above:
            if above in first:
                yield _nesting(nested, first[above])


def _nesting(nested: PlaceWritten, upper: PlaceWritten) -> Problem:
    return nested.written.problem(
        "NB213",
        nested.node,
        f"{quoted(str(nested.place))} lies below {quoted(str(upper.place))},"
        f" the place of {upper}, which holds one token and nothing else",
        f"give one of them another key: {{sink: {upper.place.sink}, key: …}}",
    )


def _is_same_entry_twice(one: Written, other: Written) -> bool:
    """Whether two entries have one identity, which is said already."""
    return one is not other and (one.user, one.name) == (other.user, other.name)


def _wishes(written: Written) -> Iterator[Wish]:
    node = written.find("sinks")
    name = written.name_node
    if not isinstance(node, Seq):
        yield Wish(LOCAL, name, None, name)
        return
    default_node = name if written.own.get("sinks") is None else None
    for item in node.items:
        sink = item.get("sink") if isinstance(item, Map) else item
        key = item.get("key") if isinstance(item, Map) else None
        if isinstance(sink, Scalar):
            key_text = key.text if isinstance(key, Scalar) else None
            yield Wish(SinkName(sink.text), sink, key_text, key or default_node or sink)


def _place(
    written: Written, set_name: SetName, wish: Wish, rule: KeyRule
) -> PlaceWritten | Problem:
    key = rule.default(set_name, written.name) if wish.key is None else wish.key
    if rule.accepts(key):
        canonical = rule.canonical(key)
        space = FILES if rule.folder else wish.sink
        above = tuple(Place(space, each) for each in rule.above(canonical))
        place = Place(space, canonical)
        return PlaceWritten(Place(wish.sink, key), place, above, written, wish.key_node)
    own_key = f"write {{sink: {wish.sink}, key: …}}: {rule.advice_for(key)}"
    if wish.key is not None:
        message = f"the sink {quoted(wish.sink)} cannot take the key {quoted(key)}"
        return written.problem("NB204", wish.key_node, message, f"use {rule.advice_for(key)}")
    message = (
        f"no key for the sink {quoted(wish.sink)} can be made from the name {quoted(written.name)}"
    )
    return written.problem("NB204", written.name_node, message, own_key)


def _unknown(written: Written, wish: Wish, keys: Mapping[SinkName, KeyRule]) -> Problem:
    message = f"the config has no sink {quoted(wish.sink)}"
    known = f"it has {', '.join(keys)}" if keys else "it has none"
    problem = written.problem("NB203", wish.sink_node, message, f"add it to the config; {known}")
    return replace(problem, guess=Guess(wish.sink, keys, "write {}"))
