"""What may stop a plan that is correct: removals beyond a limit, a view that looks wrong, a sink that
is not the one it was. Judged on the whole set. Each override names the exception (DESIGN §6).
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator

from reconciler.core.changes import Create, Revoke
from reconciler.core.ledger import Holding, Ledger
from reconciler.core.plan import Guard, Plan
from reconciler.core.reasons import Reason
from reconciler.core.receipts import Address, Inventory, TokenRef
from reconciler.core.subjects import address_of
from reconciler.core.tokens import Unread
from reconciler.core.world import World

_REMOVALS = (Reason.TOMBSTONE, Reason.REMOVED, Reason.UNMANAGED_REVOKED)


def judge(plan: Plan, ledger: Ledger) -> tuple[Guard, ...]:
    """Every guard's verdict, in a fixed order, the passes included."""
    return (
        _max_revokes(plan, ledger),
        _never_to_zero(plan, ledger),
        _live_view(ledger),
        *_registrations(ledger),
        _reissue(plan, ledger),
    )


def _removals(plan: Plan, ledger: Ledger) -> list[Revoke]:
    return [
        change
        for change in plan.changes
        if isinstance(change, Revoke)
        and change.why.reason in _REMOVALS
        and change.token.works(ledger.world.now)
    ]


def _unnamed(removals: list[Revoke], world: World) -> list[Revoke]:
    allowed = world.requests.allow_revoke
    return [change for change in removals if not {address_of(change), change.token.id} & allowed]


def _max_revokes(plan: Plan, ledger: Ledger) -> Guard:
    limits = ledger.world.wanted.limits
    ours = len(ledger.current())
    limit = max(1, min(limits.count, math.ceil(limits.percent * ours / 100)))
    removals = _unnamed(_removals(plan, ledger), ledger.world)
    return Guard(
        "max_revokes",
        len(removals) > limit,
        f"revokes {len(removals)} of {limit} allowed ({ours} tokens are ours)",
        "name those that may go: " + _flags("--allow-revoke", map(address_of, removals), ledger)
        if len(removals) > limit
        else "",
    )


def _never_to_zero(plan: Plan, ledger: Ledger) -> Guard:
    current = {ref for ref in ledger.current() if ledger.live[ref].works(ledger.world.now)}
    removals = _removals(plan, ledger)
    gone = current & {TokenRef(r.token.user, r.token.id) for r in removals}
    unnamed = _unnamed(removals, ledger.world)
    stop = len(current) > 1 and gone == current and bool(unnamed)
    return Guard(
        "never_to_zero",
        stop,
        f"{len(current) - len(gone)} of our {len(current)} tokens stay",
        "if the set is really to be emptied, name them all: "
        + _flags("--allow-revoke", map(address_of, removals), ledger)
        if stop
        else "",
    )


def _live_view(ledger: Ledger) -> Guard:
    """An empty list beside full sinks is more likely the wrong account than a mass deletion.

    What the file wants gone may be gone; a receipt of it leaves only when the server, asked for each of
    its tokens by id, has none.
    """
    world = ledger.world
    allowed = world.requests.allow_reissue
    expected = sorted(
        {
            receipt.address
            for holdings in ledger.ours.values()
            for holding, receipt in ((each, each.receipt) for each in holdings)
            if receipt.expires_at > world.now
            and _is_wanted(holding, ledger)
            and receipt.address not in allowed
            and not isinstance(ledger.find(receipt.token), Unread)
        }
    )
    read = [listing for listing in world.live.values() if not isinstance(listing, Unread)]
    if not (expected and read and not any(read)):
        return Guard("live_view", stop=False, text="live tokens and receipts fit together")
    return Guard(
        "live_view",
        stop=True,
        text="the server lists no token at all, but sinks hold receipts of tokens that should work",
        hint="check the management URL and the account; if the tokens are really gone: "
        + _flags("--allow-reissue", expected, ledger),
    )


def _is_wanted(holding: Holding, ledger: Ledger) -> bool:
    """Whether the file, or the receipt itself, says that its token is to live."""
    entry = holding.receipt.address in ledger.known_addresses
    return entry or holding.place in ledger.wanted_places or holding.receipt.protect


def _registrations(ledger: Ledger) -> Iterator[Guard]:
    """Every sink that knows the set: to another account, all of its receipts look like leftovers."""
    world = ledger.world
    for sink in sorted(world.sinks):
        known = world.registration(sink)
        if known is None or sink in world.requests.accept_registration:
            continue
        same = world.is_ours(known)
        yield Guard(
            "registration",
            not same,
            f"sink {sink} knows this set"
            if same
            else f"sink {sink} was registered for this set by {known.principal} at {known.server}, "
            f"but this is {world.principal} at {world.server}",
            f"if the move is meant: --accept-registration {sink}",
        )


def _reissue(plan: Plan, ledger: Ledger) -> Guard:
    """A fresh sink while tokens of these names live: their secrets are probably elsewhere."""
    world = ledger.world
    suspects = sorted(
        change.spec.address
        for change in plan.changes
        if isinstance(change, Create)
        and change.spec.address not in world.requests.allow_reissue
        and _unregistered(change, world)
        and any(
            token.created_by == world.principal
            and token.works(world.now)
            and not ledger.sets_naming.get(token.id)
            for token in ledger.by_name.get((change.spec.user, change.spec.live_name), ())
        )
    )
    if not suspects:
        text = "no sink is new while tokens of these names live"
        return Guard("reissue", stop=False, text=text)
    return Guard(
        "reissue",
        stop=True,
        text=f"{', '.join(map(ledger.names.spelled, suspects))}: alive and made by us, but a sink that "
        "this set never wrote to is to hold them; it may be the wrong sink, or one that lost its contents",
        hint="use the sink that holds them, `adopt` them, or go on with new ones: "
        + _flags("--allow-reissue", suspects, ledger),
    )


def _unregistered(change: Create, world: World) -> bool:
    return any(
        isinstance(world.sinks[target.place.sink], Inventory)
        and world.registration(target.place.sink) is None
        for target in change.targets
    )


def _flags(flag: str, addresses: Iterable[Address], ledger: Ledger) -> str:
    """What to paste into a shell; names come from files and servers and may hold anything."""
    names = dict.fromkeys(map(ledger.names.spelled, addresses))
    return " ".join(f"{flag} {shlex.quote(name)}" for name in names)
