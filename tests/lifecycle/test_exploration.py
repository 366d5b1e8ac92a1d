"""The product's own engine, in every order of its steps and with every fault at each.

Every scenario is walked to its last state. Then each safeguard is taken away, and the walk must notice:
these are the configurations of sinks.md §7.4 that break, and some more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from explorer import Explorer, Report, Scenario
from scenarios import creating, halfway, marked, removing, retiring, rotating

from reconciler import election, engine, transaction
from reconciler.commands import hooks
from reconciler.core import removal, rules, specs, withhold
from reconciler.core.changes import Amend
from reconciler.core.receipts import receipt_of

SCENARIOS = (
    creating(["cas"]),
    creating(["file"]),
    creating(["last"], naps=1),
    creating(["cas", "last"]),
    creating(["blind"], two_steps=True),
    rotating(["cas"], naps=1, deploys=True),
    rotating(["file"], naps=1, prunes=True),
    rotating(["last"], naps=1, prunes=True),
    rotating(["blind"], naps=1),
    rotating(["blind"], two_steps=True),
    rotating(["cas"], runs=3),
    rotating(["file"], faults=2),
    rotating(["cas", "cas"]),
    rotating(["cas", "last"]),
    rotating(["cas", "last"], runs=3, faults=0),
    rotating(["file", "last"]),
    rotating(["last", "last"]),
    rotating(["cas", "blind"]),
    rotating(["cas", "blind"], runs=1, faults=2, naps=1),
    rotating(["cas", "blind"], faults=0, two_steps=True),
    rotating(["blind", "blind"], faults=0),
    rotating(["cas", "last", "blind"], runs=1, faults=2),
    halfway(["cas", "cas"], deploys=True),
    rotating(["file"], naps=1, prunes=True, overlap_days=7),
    halfway(["cas", "last"], prunes=True, faults=0),
    halfway(["cas", "blind"], prunes=True),
    retiring(["cas", "last"], naps=1),
    retiring(["file"], faults=2),
    removing(["cas"], naps=1),
    removing(["file"], faults=2),
    removing(["cas", "last"], faults=0),
    creating(["cas"], deploys=True),
    rotating(["file"], deploys=True),
    rotating(["last"], deploys=True),
    rotating(["cas", "last"], deploys=True, faults=0),
    rotating(["blind"], deploys=True),
    marked(["cas"], faults=2, naps=1),
    marked(["file"], faults=2),
    marked(["cas", "last"], faults=0),
    marked(["blind"]),
)
LARGE = (
    creating(["cas", "last"], runs=3),
    rotating(["cas", "blind"], runs=3, faults=0),
    rotating(["cas", "last", "blind"], two_steps=True),
    rotating(["file", "last"], naps=1, prunes=True),
    halfway(["cas", "last"], naps=1, prunes=True),
    removing(["cas", "last"]),
    rotating(["cas", "last"], deploys=True),
    marked(["cas", "last"]),
    marked(["cas"], runs=3),
)
"""Walked by `make explore` alone: minutes each."""


def walk(scenario: Scenario) -> Report:
    return Explorer(scenario).walk()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "explored" in metafunc.fixturenames:
        chosen = (*SCENARIOS, *(LARGE if metafunc.config.getoption("--large") else ()))
        metafunc.parametrize("explored", chosen, ids=[scenario.name for scenario in chosen])


def test_nothing_goes_wrong(explored: Scenario, record_property: Callable[..., None]) -> None:
    report = walk(explored)
    record_property("explored", str(report))
    record_property("states", report.states)
    assert report.violation == "", str(report)
    assert report.endings > 0


# Each safeguard, taken away.

Plant = Callable[[pytest.MonkeyPatch], None]


def nobody_is_too_young(patch: pytest.MonkeyPatch) -> None:
    for module in (withhold, rules):
        patch.setattr(module, "GRACE", timedelta(days=-1))
    patch.setattr(removal, "idle_since", lambda _spec, token: token.created_at - timedelta(days=1))


def no_election(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transaction, "objection", lambda _mine, _listed: "")


def an_election_that_does_not_settle(patch: pytest.MonkeyPatch) -> None:
    real = transaction._lost_election
    patch.setattr(
        transaction, "_lost_election",
        lambda minted, writes, ports: real(minted, writes, _hasty(ports)),
    )  # fmt: skip


def _hasty(ports: transaction.Ports) -> transaction.Ports:
    return replace(ports, pause=lambda _: None)


def an_election_that_trusts_what_a_sink_holds(patch: pytest.MonkeyPatch) -> None:
    """A rival is overlooked once some sink references it: it looks like the predecessor."""
    held: set[str] = set()
    real_mint, real = transaction.mint, election.objection

    def mint(effect: Any, ports: transaction.Ports) -> Any:
        held.clear()
        held.update(ref.id for ref in effect.predecessors)
        return real_mint(effect, ports)

    patch.setattr("reconciler.engine.mint", mint)
    patch.setattr(
        transaction, "objection", lambda mine, listed: real(mine, [t for t in listed if t.id not in held])
    )


def writes_at_any_time(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transaction, "WINDOW", float("inf"))


def an_undo_on_doubt(patch: pytest.MonkeyPatch) -> None:
    def undo(effect: Any, token: Any, cause: str) -> Any:
        (ports,) = running
        return transaction._roll_back(effect, token, cause, ports)

    running: list[transaction.Ports] = []
    real = transaction.mint

    def mint(effect: Any, ports: transaction.Ports) -> Any:
        running[:] = [ports]
        return real(effect, ports)

    patch.setattr("reconciler.engine.mint", mint)
    patch.setattr(transaction, "_left", undo)


def predecessors_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = transaction.receipt_for

    def receipt(effect: Any, minted: Any) -> Any:
        return replace(real(effect, minted), predecessors=())

    patch.setattr(transaction, "receipt_for", receipt)


def a_mark_that_anybody_takes_off(patch: pytest.MonkeyPatch) -> None:
    """Whatever the place holds by then, the hook that ran is taken for its own."""
    real = hooks._unmark

    def unmark(place: Any, due: Any, ports: Any, record: Any) -> None:
        found = ports.sinks[place.sink].read(place.key)
        token = receipt_of(found).token.id  # type: ignore[union-attr]
        real(place, replace(due, token=token), ports, record)

    patch.setattr(hooks, "_unmark", unmark)


def a_change_of_protection_that_forgets_the_hook(patch: pytest.MonkeyPatch) -> None:
    real = specs._kept

    def kept(case: Any) -> Any:
        change = real(case)
        forgets = isinstance(change, Amend)
        return replace(change, after=replace(change.after, undeployed=False)) if forgets else change

    patch.setattr(specs, "_kept", kept)


def an_empty_list_that_proves_enough(patch: pytest.MonkeyPatch) -> None:
    """Receipts of several tokens leave while one of these is alive."""
    real = engine.Engine._clean
    patch.setattr(engine.Engine, "_clean", lambda self, effect: real(self, replace(effect, gone=())))


DEFECTS: list[tuple[Plant, Scenario, str]] = [
    (nobody_is_too_young, rotating(["cas"], prunes=True), "I1"),
    (nobody_is_too_young, halfway(["cas", "last"]), "I1"),
    (no_election, rotating(["blind"]), "I1"),
    (no_election, rotating(["cas", "blind"]), "I1"),
    (an_election_that_does_not_settle, rotating(["blind"], two_steps=True), "I1"),
    (an_election_that_trusts_what_a_sink_holds, rotating(["cas", "blind"]), "I1"),
    (writes_at_any_time, rotating(["cas"], naps=1), "I1"),
    (an_undo_on_doubt, rotating(["cas"]), "I1"),
    (predecessors_are_forgotten, rotating(["cas"]), "I5"),
    (a_mark_that_anybody_takes_off, marked(["cas"], rotation=1), "I6"),
    (a_change_of_protection_that_forgets_the_hook, marked(["cas"]), "I6"),
    (an_empty_list_that_proves_enough, removing(["cas"]), "I3"),
]


@pytest.mark.parametrize(
    ("plant", "scenario", "broken"), DEFECTS, ids=[f"{p.__name__}: {s.name}" for p, s, _ in DEFECTS]
)
def test_a_planted_defect_is_found(
    plant: Plant, scenario: Scenario, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    report = walk(scenario)
    assert f"{broken}: " in report.violation, str(report)
    assert report.steps
