"""Two sinks of one config that lead to one store: each would take the other's secrets for its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from reconciler.core.receipts import SinkName
from reconciler.source.config import SinkConfig
from reconciler.source.problems import Problem, in_order, quoted


def overlaps(
    sinks: Iterable[SinkConfig], stores: Mapping[SinkName, tuple[str, ...]]
) -> tuple[Problem, ...]:
    """A problem for each sink whose store an earlier one has, or has a part of.

    Args:
        sinks: As the config has them.
        stores: What each store is known by, from the large to the small.
    """
    return in_order(
        Problem(
            "NB114",
            later.where,
            f"the sink {quoted(later.name)} leads to the store of the sink {quoted(earlier.name)},"
            f" at {earlier.where}:{earlier.where.column}",
            "remove one, or give each a place of its own, none within the other",
        )
        for earlier, later in combinations(sinks, 2)
        if _are_one(stores[earlier.name], stores[later.name])
    )


def _are_one(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return all(a == b for a, b in zip(one, other, strict=False))
