"""Lists that come in pages, read whole or not at all.

When an entry goes while we read, those behind it move up, and one of them is on no page that we see. So
what we got must fit the count that the store gives with every page; else the list is read again. Where
another entry came meanwhile, the count fits all the same: so a list of several pages must be the same twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from reconciler.errors import SinkUnread
from reconciler.sinks.rest import CONNECTIONS

Entry = Mapping[str, object]

_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and how many there are on all pages."""

    entries: list[Entry]
    total: int


def whole(
    read: Callable[[int], Page], size: int, identity: Callable[[Entry], object]
) -> list[Entry]:
    """Every entry.

    Args:
        read: Gives one page, the first being 1. Raises SinkUnread.
        size: How many entries a full page has.
        identity: What no two entries have in common.

    Raises:
        SinkUnread: A page could not be read, or the list did not hold still.
    """
    before: set[object] = set()
    for _ in range(_TRIES):
        pages = list(_pages(read, size))
        found = {identity(entry): entry for page in pages for entry in page.entries}
        fits = {page.total for page in pages} == {len(found)}
        if fits and (len(pages) == 1 or before == found.keys()):
            return list(found.values())
        before = set(found) if fits else set()
    raise SinkUnread("the list changed while it was read", hint="run the same command again")


def _pages(read: Callable[[int], Page], size: int) -> Iterator[Page]:
    first = read(1)
    yield first
    rest = range(2, -(-first.total // size) + 1)
    if rest:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            yield from pool.map(read, rest)
