"""How every history has to end: the chaos stops, people act on what the plan tells them, time passes."""

from __future__ import annotations

from collections.abc import Iterator

from boundary import BOT2
from people import Somebody
from story import ADMIN, NAP, Story
from witness import is_orphan, receipts_in
from worlds import BOT, SET, US

from reconciler.core.changes import Blocked, Clean, Keep, Wait
from reconciler.core.plan import Plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Place
from reconciler.core.spec import Limits
from reconciler.core.tokens import DAY, LiveToken, TokenId

WAITS = (NAP, 9 * DAY)
"""Before the first clean run: longer than the grace. Before the second: longer than every overlap."""
_BY_HUMANS = ("max_revokes", "never_to_zero")


def settle(story: Story) -> Plan | None:
    """Two clean runs, and the plan after them; None where a guard waits for a human's word."""
    if not _calm(story):
        return None
    for wait in WAITS:
        story.pass_time(wait / 2)
        for place in story.file.places():
            story.use(story.value(place))
        story.pass_time(wait / 2)
        plan = story.run()
        if plan is not None and {guard.id for guard in plan.stops} & set(_BY_HUMANS):
            return None
    return story.look()


def _calm(story: Story) -> bool:
    """Whether the plan asks for nothing more that only people can do."""
    story.denied.clear()
    Somebody("vacates", "").happens(story)
    story.file.limits, story.file.max_renewals = Limits(100, 100), None
    for _ in range(9):
        plan = story.look()
        if "live_view" in {guard.id for guard in plan.stops}:
            assert _is_missed(story), "an empty list stops the run, and nothing that is wanted is missing"
            for user in (BOT, BOT2, US):
                story.make(user, "else", ADMIN)
            plan = story.look()
        if {guard.id for guard in plan.stops} & set(_BY_HUMANS):
            return False
        heeded = [change for change in plan.blocked if _heed(story, change)]
        if not heeded and not plan.stops:
            return True
        if plan.stops:
            _forget_suspects(story)
    raise AssertionError(f"people did what they were told, and still: {plan.stops} {plan.blocked}")


def _is_missed(story: Story) -> bool:
    """Whether a receipt tells of a token that the file, or its protection, wants alive."""
    names = {name for entry in story.file.entries.values() for name in (entry.name, *entry.previously)}
    return any(
        receipt.protect or receipt.name in names or place in story.file.places()
        for place, receipt in story.receipts()
        if receipt.set == SET
    )


def _heed(story: Story, told: Blocked) -> bool:
    match told.why.reason:
        case Reason.FOREIGN_SECRET | Reason.OTHER_SET if told.token is None:
            Somebody("vacates", told.name).happens(story)
            taken = [e for e in story.file.entries.values() if e.name == told.name and e.adopt]
            for entry in taken:
                story.file.change(entry.name, adopt=False)
        case Reason.ADOPT_AMBIGUOUS | Reason.ADOPT_MISSING:
            story.file.change(told.name, adopt=False)
        case Reason.PROTECTED if told.token is None:
            place = Place(story.file.sinks[0], f"{told.name} {len(story.file.entries)}")
            story.file.change(told.name, places=(place,))
        case _:
            return False
    return True


def _forget_suspects(story: Story) -> None:
    """Guard `reissue`: a person looks at the tokens that nobody stored, and deletes them."""
    named = {ref.id for receipt in receipts_in(story.memory) for ref in receipt.named}
    for token in story.memory.listed:
        if token.created_by == US and token.id not in named:
            story.drop(token.id)


def unsettled(story: Story, plan: Plan) -> Iterator[str]:
    """I5: what two clean runs left undone."""
    for effect in plan.effects:
        if not isinstance(effect, Clean) and effect.why.reason is not Reason.EXPIRED:
            yield f"{effect}"
    if plan.stops or not plan.complete:
        yield f"{plan.stops} {plan.gaps}"
    kept = {change.spec.name: change for change in plan.changes if isinstance(change, Keep)}
    for entry in story.file.entries.values():
        if entry.name not in kept:
            yield f"{entry.name} is not kept"
        elif kept[entry.name].why.reason is Reason.IN_SYNC:
            tokens = {story.token_at(place) for place in entry.places}
            if len(tokens) != 1 or not all(map(story.memory.works, tokens)):
                yield f"{entry.name} has {tokens}"
            asking = [place for place, r in story.receipts() if r.undeployed and place in entry.places]
            yield from (f"{place} still asks for a hook" for place in asking)
    fine = {id_ for keep in kept.values() for id_ in _held(story, keep)} | set(_explained(plan))
    yield from (f"{token} is left" for token in _ours(story) if token.id not in fine)


def _held(story: Story, keep: Keep) -> Iterator[TokenId]:
    """The entry's own token. Of an entry that has ended nothing follows: what its places may hold stays."""
    if keep.token:
        yield keep.token.id
    if keep.why.reason is Reason.ENDED:
        for receipt in filter(None, (story.cell(place).receipt for place in keep.spec.places)):
            yield from (ref.id for ref in receipt.named)


def _explained(plan: Plan) -> Iterator[TokenId]:
    """What stays for now, and the plan says until when, or whose word it waits for."""
    for change in plan.changes:
        if isinstance(change, Wait) and (change.until or change.why.reason is Reason.OWN):
            yield change.token.id
        if isinstance(change, Blocked) and change.token:
            yield change.token.id


def restless(story: Story) -> Iterator[str]:
    """A settled world stays as it is. What died between the two runs is tidied away by one more."""
    story.run()
    yield from (f"{effect}" for effect in story.look().effects)


def _ours(story: Story) -> Iterator[LiveToken]:
    """What works, and no other set holds: named by our receipts, or an orphan that no place may hold."""
    receipts = list(receipts_in(story.memory))
    named = {ref.id for receipt in receipts if receipt.set == SET for ref in receipt.named}
    theirs = {receipt.token.id for receipt in receipts if receipt.set != SET}
    for token in story.memory.listed:
        if token.id in theirs or not story.memory.works(token.id):
            continue
        lost = is_orphan(token, story.memory, story.file) and not _may_be_held(story, token)
        if token.id in named or lost:
            yield token


def _may_be_held(story: Story, token: LiveToken) -> bool:
    """Whether a place of its name holds a value that no receipt describes: it might be just this one."""
    return any(
        story.value(place) is not None and not story.token_at(place)
        for entry in story.file.entries.values()
        if (entry.user, entry.live_name) == (token.user, token.name)
        for place in entry.places
    )
