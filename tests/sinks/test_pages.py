"""A list in pages is read whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.errors import SinkUnread
from reconciler.sinks.pages import Page, whole

Names = list[str]


def reading(*lists: Names, size: int = 2) -> tuple[Names, list[int]]:
    """What is read while the list changes with every page that is asked for, and which pages were."""
    asked: list[int] = []
    states: Iterator[Names] = iter(lists)
    current = next(states)

    def read(number: int) -> Page:
        nonlocal current
        asked.append(number)
        current = next(states, current)
        part = current[(number - 1) * size : number * size]
        return Page([{"name": name} for name in part], len(current))

    return [str(entry["name"]) for entry in whole(read, size, lambda entry: entry["name"])], asked


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b"], ["a", "b", "c"]])
def test_every_page_is_read_once(names: Names) -> None:
    found, asked = reading(names)
    assert found == names
    assert asked == list(range(1, max(1, -(-len(names) // 2)) + 1))


def test_what_moved_up_while_we_read_is_not_missed() -> None:
    before, after = ["a", "b", "c", "d"], ["b", "c", "d"]
    found, asked = reading(before, before, after)  # `a` goes after the first page: `c` is on neither
    assert found == after
    assert asked == [1, 2, 1, 2]


def test_what_came_in_while_we_read_is_read_again() -> None:
    before, after = ["b", "c", "d"], ["a", "b", "c", "d"]
    assert reading(before, before, after)[0] == after


def test_a_list_that_never_holds_still_is_unread() -> None:
    lists = [[f"{n}-{m}" for m in range(3 + n % 2)] for n in range(20)]
    with pytest.raises(SinkUnread, match="changed while it was read"):
        reading(*lists)
