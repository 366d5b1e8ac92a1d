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


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b"]])
def test_a_single_page_is_read_once(names: Names) -> None:
    assert reading(names) == (names, [1])


def test_several_pages_are_read_until_they_are_the_same_twice() -> None:
    assert reading(["a", "b", "c"]) == (["a", "b", "c"], [1, 2, 1, 2])


def test_one_that_goes_while_another_comes_does_not_hide_a_third() -> None:
    """The count is that of the list before and after, and `c` is on no page that was seen."""
    before, after = ["a", "b", "c", "d"], ["b", "c", "d", "e"]
    found, asked = reading(before, before, after)
    assert found == after
    assert asked == [1, 2, 1, 2, 1, 2]


def test_what_moved_up_while_we_read_is_not_missed() -> None:
    before, after = ["a", "b", "c", "d"], ["b", "c", "d"]
    found, asked = reading(before, before, after)  # `a` goes after the first page: `c` is on neither
    assert found == after
    assert asked == [1, 2, 1, 2, 1, 2]


def test_what_came_in_while_we_read_is_read_again() -> None:
    before, after = ["b", "c", "d"], ["a", "b", "c", "d"]
    assert reading(before, before, after)[0] == after


def test_a_list_that_never_holds_still_is_unread() -> None:
    lists = [[f"{n}-{m}" for m in range(3 + n % 2)] for n in range(20)]
    with pytest.raises(SinkUnread, match="changed while it was read"):
        reading(*lists)
