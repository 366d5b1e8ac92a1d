"""Who is who in a set: no two entries may claim one identity, one earlier name or one live token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.receipts import Address
from reconciler.source.nodes import Scalar, Seq
from reconciler.source.problems import Problem, quoted
from reconciler.source.written import Written


def identity_problems(entries: Sequence[Written]) -> Iterator[Problem]:
    """Every identity, earlier name and adopted token that has two claimants."""
    owners: dict[Address, Written] = {}
    for entry in entries:
        if not entry.sound("user"):
            continue
        earlier = owners.setdefault(Address(entry.user, entry.name), entry)
        if earlier is not entry:
            yield entry.problem(
                "NB201",
                entry.name_node,
                f"user {quoted(entry.user)} has two entries of this name, the first is {_title(earlier)}",
                "give one of them another name, or remove it",
            )
    yield from _earlier_names(entries, owners)
    yield from _adoptions(entries)


def misplaced_reason(entry: Written) -> Iterator[Problem]:
    """A reason that nobody would ever read."""
    pair = entry.own.pairs.get("reason")
    if pair and entry.sound("state") and not entry.is_tombstone:
        message = '"reason" has a meaning only with state: absent'
        span, source = pair.key.span, entry.document.source
        yield source.problem("NB207", span, message, "add state: absent, or make it a comment")


def _earlier_names(entries: Sequence[Written], owners: dict[Address, Written]) -> Iterator[Problem]:
    claimants = dict(owners)
    for entry in entries:
        for node in _previously(entry):
            former = Address(entry.user, str(node.value))
            owner = claimants.setdefault(former, entry)
            if former.name == entry.name:
                yield entry.problem(
                    "NB208", node, f"{quoted(entry.name)} is its own earlier name", "remove it"
                )
            elif owner is not entry:
                message = f"the earlier name {quoted(former.name)} belongs to {_title(owner)}"
                yield entry.problem(
                    "NB208", node, message, "remove it here, or remove the other entry"
                )


def _previously(entry: Written) -> Iterator[Scalar]:
    node = entry.own.get("previously")
    if isinstance(node, Seq) and entry.sound("previously", "user"):
        yield from (item for item in node.items if isinstance(item, Scalar))


def _adoptions(entries: Sequence[Written]) -> Iterator[Problem]:
    adopted: dict[str, Written] = {}
    for entry in entries:
        node = entry.own.get("adopt")
        if (
            not isinstance(node, Scalar)
            or not isinstance(node.value, str)
            or not entry.sound("adopt")
        ):
            continue
        earlier = adopted.setdefault(node.value, entry)
        if earlier is not entry:
            message = f"the token {node.value} is already adopted by {_title(earlier)}"
            yield entry.problem("NB211", node, message, "remove one of the two")


def _title(entry: Written) -> str:
    return f"{quoted(entry.name)} in {entry.document.source.at(entry.name_node)}"
