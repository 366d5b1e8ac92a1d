"""max_renewals: the nearest end first, the rest later; what cannot wait does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from worlds import damaged, held, inventory, named, receipt, spec, stored, token, world

from reconciler.core.changes import Renew, Wait
from reconciler.core.plan import Plan
from reconciler.core.planner import make_plan
from reconciler.core.reasons import Reason
from reconciler.core.spec import Schedule
from reconciler.core.tokens import LiveToken

DUE = [token(f"t{left}", f"n{left}", age={"days": 90 - left}) for left in (12, 5, 20, 9)]
"""Four tokens of 90 days in their window, by days left."""


def plan(limit: int, tokens: list[LiveToken] = DUE, **kw: Any) -> Plan:
    specs = [spec(each.name) for each in tokens]
    sink = kw.pop("sink", held(*tokens))
    every = timedelta(days=kw.pop("every", 1))
    return make_plan(world(specs, tokens, sink, schedule=Schedule(every, limit), **kw))


def renewed(found: Plan) -> list[str]:
    return [change.spec.name for change in found.changes if isinstance(change, Renew)]


def deferred(found: Plan) -> list[str]:
    return [
        change.name
        for change in found.changes
        if isinstance(change, Wait) and change.why.reason is Reason.DEFERRED
    ]


def test_the_nearest_end_comes_first() -> None:
    found = plan(2)
    assert renewed(found) == ["n5", "n9"]
    assert deferred(found) == ["n12", "n20"]


def test_all_come_in_their_turn() -> None:
    assert renewed(plan(2, [t for t in DUE if t.name not in ("n5", "n9")])) == ["n12", "n20"]
    assert deferred(plan(4)) == []


def test_what_might_not_live_until_the_run_after_the_next_is_not_deferred() -> None:
    assert renewed(plan(1, every=5)) == ["n5", "n9"]
    assert renewed(plan(1, every=3)) == ["n5"]


def test_a_lost_secret_is_not_deferred_and_takes_its_share() -> None:
    entries: dict[str, Any] = {f"platform/{t.name}": stored(receipt(t)) for t in DUE}
    entries["platform/n20"] = damaged(receipt(DUE[2]))
    found = plan(1, sink=inventory(entries))
    assert renewed(found) == ["n20"]
    assert len(deferred(found)) == 3


def test_what_a_person_asks_for_is_not_deferred() -> None:
    assert renewed(plan(1, requests={"rotate": named("n20", "n12")})) == ["n12", "n20"]


def test_what_falls_due_has_no_say_in_what_the_file_asks_for() -> None:
    tokens = [*DUE, *(token(f"r{age}", f"r{age}", age={"days": age}) for age in (1, 2, 3))]
    entries: dict[str, Any] = {f"platform/{t.name}": stored(receipt(t)) for t in tokens}

    def ids(*due: LiveToken, every: int = 1) -> tuple[str, list[str]]:
        raised = [spec(each.name, rotation=1) for each in tokens[len(DUE) :]]
        live = [*due, *tokens[len(DUE) :]]
        specs = [*(spec(each.name) for each in due), *raised]
        sink = inventory({f"platform/{t.name}": entries[f"platform/{t.name}"] for t in live})
        schedule = Schedule(timedelta(days=every), 2)
        found = make_plan(world(specs, live, sink, schedule=schedule))
        return found.change_id, [name for name in renewed(found) if name.startswith("r")]

    assert ids()[1] == ["r2", "r3"]
    assert ids() == ids(*DUE) == ids(*DUE, every=5)
