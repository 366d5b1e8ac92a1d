"""What stops a plan, and what lets it go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from worlds import US, held, inventory, named, spec, token, world

from reconciler.core.planner import make_plan
from reconciler.core.spec import Limits
from reconciler.core.tokens import UserId
from reconciler.core.world import World


def owned(count: int, removed: int, **kw: Any) -> World:
    tokens = [token(f"{n:020d}", f"t{n}") for n in range(count)]
    return world([spec(f"t{n}") for n in range(removed, count)], tokens, held(*tokens), **kw)


def stops(of: World) -> list[str]:
    return [guard.id for guard in make_plan(of).stops]


@pytest.mark.parametrize(
    ("count", "allowed"), [(2, 1), (3, 1), (4, 1), (5, 2), (7, 2), (8, 2), (9, 3), (20, 5), (100, 5)]
)
def test_max_revokes_has_no_floor(count: int, allowed: int) -> None:
    assert stops(owned(count, allowed)) == []
    assert "max_revokes" in stops(owned(count, allowed + 1))


def test_the_set_may_tighten_the_limit() -> None:
    assert stops(owned(100, 2, limits=Limits(1, 100))) == ["max_revokes"]


def test_naming_the_tokens_lets_them_go() -> None:
    three = {"allow_revoke": named("t0", "t1", "t2")}
    assert stops(owned(4, 3, requests=three)) == []
    assert "never_to_zero" in stops(owned(2, 2, limits=Limits(5, 100)))
    both = {"allow_revoke": named("t0", "t1")}
    assert stops(owned(2, 2, requests=both)) == []


def test_the_last_of_one_may_go() -> None:
    assert stops(owned(1, 1)) == []


def test_expired_tokens_do_not_count() -> None:
    of = owned(4, 3)
    dead = {u: tuple(replace(t, expires_at=t.created_at) for t in ts) for u, ts in of.live.items()}  # type: ignore[union-attr]
    assert stops(replace(of, live=dead)) == []


def test_an_empty_list_beside_full_sinks_looks_wrong() -> None:
    lost = token("0" * 20, "a")
    of = world([spec("a")], [], held(lost))
    assert stops(of) == ["live_view"]
    allowed = {"allow_reissue": named("a")}
    assert stops(world([spec("a")], [], held(lost), requests=allowed)) == []


@pytest.mark.parametrize("other", [{"principal": UserId("x")}, {"server": "https://other.example"}])
def test_a_registration_of_somebody_else_stops(other: dict[str, Any]) -> None:
    assert stops(world([spec("a")], sinks=inventory(**other))) == ["registration"]
    accepted = {"accept_registration": frozenset({"local"})}
    assert stops(world([spec("a")], sinks=inventory(**other), requests=accepted)) == []


def test_a_new_sink_while_a_token_of_this_name_lives() -> None:
    live = token("0" * 20, "a")
    fresh = inventory(registered=False)
    assert stops(world([spec("a")], [live], fresh)) == ["reissue"]
    allowed = {"allow_reissue": named("a")}
    assert stops(world([spec("a")], [live], fresh, requests=allowed)) == []
    theirs = replace(live, created_by=UserId("alice"))
    assert stops(world([spec("a")], [theirs], fresh)) == []
    assert stops(world([spec("a", adopt=True)], [live], fresh)) == []
    assert US == "us"
