"""Sinks that may be one store under two names: each such store is asked which one it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

from reconciler.core.receipts import Inventory, SinkName
from reconciler.errors import SinkUnread, UsageError
from reconciler.http import Json, address_of
from reconciler.sinks import Identity, Options, SinkType
from reconciler.sinks.rest import CONNECTIONS, Rest
from reconciler.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Unproved:
    """Stands for a sink of which nobody could say whether it is another one, too: it is not read."""

    why: SinkUnread

    def inventory(self, keys: Collection[str]) -> Inventory:  # noqa: ARG002 - none is looked at
        raise self.why


def asked(
    sinks: Mapping[SinkName, tuple[SinkType, Options]], around: Surroundings
) -> dict[SinkName, Identity | SinkUnread]:
    """What each store that may be another one, too, says of itself. Raises UsageError."""
    names = sorted({name for pair in _alike(sinks) for name in pair})

    def ask(name: SinkName) -> Identity | SinkUnread:
        kind, options = sinks[name]
        if kind.proof is None:
            raise ValueError(f"{name} has no proof")  # `_alike` gives none such
        try:
            return kind.proof.ask(options, around)
        except SinkUnread as error:
            return error

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def owner_of(rest: Rest, path: str, link: str) -> tuple[str, str]:
    """Server and id of what has the secrets, as the server itself has them.

    Args:
        rest: Can GET.
        path: Of the owner.
        link: The field with its page, at the address that the server has for itself.

    Raises:
        SinkUnread: It cannot be told.
    """
    answer = rest.look(path)
    match answer.content:
        case Json(dict(said)) if isinstance(number := said.get("id"), int):
            pass
        case _:
            raise rest.unread(answer)
    try:
        page = address_of(str(said.get(link)), link, "", allow_http=True)
    except UsageError:
        raise rest.unread(answer) from None
    return page.server, str(number)


def _alike(
    sinks: Mapping[SinkName, tuple[SinkType, Options]],
) -> Iterator[tuple[SinkName, SinkName]]:
    """Every two of one type that are one as far as the config tells, or one within the other."""
    for one, other in combinations(sinks, 2):
        (kind, options), (same, others) = sinks[one], sinks[other]
        if kind is same and kind.proof is not None:
            parts = zip(kind.proof.part(options), kind.proof.part(others), strict=False)
            if all(a == b for a, b in parts):
                yield one, other
