"""Random histories: people edit the file and name exceptions, runs die, fail, sleep and overtake each other,
time passes, others make and delete tokens, sinks lose what they held. Every run is the product's own: gather,
make_plan, the guards and the engine; `witness.py` judges each of its steps, `endings.py` how every history
has to end:

- I1 No place of a wanted entry holds the secret of a token that we revoked.
- I2 No step of ours locks out whom a place of a wanted entry let in.
- I3 Nothing is revoked that DESIGN §4 does not call ours, nor what is protected, young or our credential.
- I4 No receipt vouches for another token's secret.
- I5 The chaos stops, and people act on what the plan tells them. A run 20 minutes later (the grace has
  passed) and one 9 days after that (every overlap has) leave each entry one live token, in all its places;
  what it replaced is gone, or the plan says until when it stays. At most dead things are left to a third run.
- I6 A secret for which no deploy hook has succeeded says so, until one has.

Besides: one world has one plan, what could not be read leads to nothing on its account, and no token is made
for a sink that does not know the set.

In CI the histories are the same every time, 2,000 of them; elsewhere they are new each time. A failing one
is shown as data and shrunk, with a blob: `pytest tests/lifecycle/test_histories.py --history BLOB` plays it
again as long as the strategies below stay as they are. `--hypothesis-seed N` repeats a whole run, and
`--large` tells ten times as many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import hypothesis
import pytest
from edits import KINDS, NAMES, Edit, File
from endings import restless, settle, unsettled
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from memory import POWERS
from people import APPLY, DEEDS, WAITS, Commits, Event, Passes, Runs, Somebody
from story import COMMANDS, TROUBLES, Command, Story, Trouble

from reconciler.core.receipts import SinkName

PARTS, EACH = 4, 500
CALLS = st.integers(0, 11)
PICKS = st.integers(0, 40)
names = st.sampled_from(NAMES)
acting = st.sampled_from((True, True, True, False))
troubles = st.builds(Trouble, st.sampled_from(TROUBLES), acting, CALLS, CALLS)
edits = st.builds(Edit, st.sampled_from(KINDS), names, PICKS)
commands = st.builds(Command, st.sampled_from(COMMANDS), names)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(Runs, st.lists(troubles, max_size=2).map(tuple), st.just(APPLY) | commands),
    st.builds(Commits, st.lists(edits, min_size=1, max_size=3).map(tuple)),
    st.builds(Passes, st.sampled_from(range(len(WAITS))), st.booleans()),
    st.builds(Somebody, st.sampled_from(tuple(DEEDS)), names, PICKS),
)
kinds = st.lists(st.sampled_from(tuple(POWERS)), min_size=1, max_size=3)
live_names = st.sampled_from(("{name}", "team/{name}"))
beginnings = st.lists(st.builds(Edit, st.just("add"), names, PICKS), min_size=1, max_size=3)
surroundings = st.fixed_dictionaries({"deploys": st.booleans(), "crowded": acting})
courses = st.tuples(*[st.lists(events, max_size=9)] * 3).map(lambda parts: [*chain(*parts)])
"""Hypothesis keeps lists short; three in a row are long enough, and shrink as well."""


def begin(sinks: Sequence[str], live_name: str, first: Sequence[Edit], **facts: bool) -> Story:
    named = tuple((SinkName(f"{kind}{n}"), kind) for n, kind in enumerate(sinks, 1))
    story = Story(named, File(tuple(sink for sink, _ in named), live_name), **facts)
    Commits(tuple(first)).happens(story)
    return story


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens(
    part: int, request: pytest.FixtureRequest, record_property: Callable[..., None]
) -> None:
    told = {"histories": 0, "runs": 0, "mints": 0, "revokes": 0, "stopped": 0}

    @given(kinds, live_names, beginnings, courses, surroundings)
    def history(
        sinks: list[str], live_name: str, first: list[Edit], course: list[Event], around: dict[str, bool]
    ) -> None:
        story = begin(sinks, live_name, first, **around)
        for event in course:
            event.happens(story)
        plan = settle(story)
        if plan is not None:
            assert list(unsettled(story, plan)) == []
            assert list(restless(story)) == []
        told["histories"] += 1
        told["stopped"] += plan is None
        told["runs"] += story.runs
        told["mints"] += story.memory.minted
        told["revokes"] += len(story.memory.revoked)

    chosen(part, request.config)(history)()
    record_property("histories", told)


def chosen(part: int, config: pytest.Config) -> Callable[[Any], Any]:
    """Which histories are told: one, from its blob; the same in every CI; or any."""
    if blob := config.getoption("--history"):
        return hypothesis.reproduce_failure(hypothesis.__version__, blob.encode())
    many = settings(
        max_examples=EACH * (10 if config.getoption("--large") else 1),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=set(Phase) - {Phase.explain},
        print_blob=True,
    )
    given_seed = config.getoption("--hypothesis-seed")
    if given_seed is None and not settings().derandomize:
        return many
    return lambda history: many(hypothesis.seed(f"{given_seed}, part {part}")(history))
