"""`make_plan`: World in, Plan out. It takes nothing else, so it can call nothing.

The order below is the order of authority over a live token: a spec that holds or held it, then a
tombstone, then a removed entry, then the orphan rule; what is left is unmanaged. Each token is
spoken of once. `withhold` has the last word over everything that would write.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.changes import Change, Create, Register, Renew
from reconciler.core.deferral import deferred
from reconciler.core.guards import judge
from reconciler.core.ledger import Ledger
from reconciler.core.plan import Gap, Plan
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import Inventory, Registration, SinkName
from reconciler.core.removal import last_traces, orphans, removed_entries, tombstones, unmanaged
from reconciler.core.specs import plan_spec
from reconciler.core.tokens import TokenId, Unread
from reconciler.core.withhold import withhold
from reconciler.core.world import World


def make_plan(world: World) -> Plan:
    """Decide everything. Same world, same plan, down to the order of its changes."""
    ledger = Ledger(world)
    spoken: set[TokenId] = set()
    proposed: list[Change] = []
    for spec in world.wanted.specs:
        proposed.extend(plan_spec(spec, ledger, spoken))
    for stage in (tombstones, removed_entries, orphans, unmanaged):
        proposed.extend(stage(ledger, spoken))
    changes = deferred([withhold(change, ledger) for change in proposed], world)
    changes.extend(last_traces(changes, ledger))
    changes.extend(_registrations(world, changes))
    plan = Plan.of(ledger, changes, tuple(_gaps(world)))
    return plan.judged(judge(plan, ledger))


def _registrations(world: World, changes: list[Change]) -> Iterator[Register]:
    used = {
        target.place.sink
        for change in changes
        if isinstance(change, Create | Renew)
        for target in change.targets
    }
    for sink in sorted(used | world.requests.accept_registration):
        if isinstance(world.sinks.get(sink), Inventory) and (why := _why_register(world, sink)):
            wanted = Registration(world.wanted.name, world.server, world.principal, world.now)
            yield Register(sink, wanted, why)


def _why_register(world: World, sink: SinkName) -> Why | None:
    known = world.registration(sink)
    if known is None:
        return Why(Reason.FIRST_USE, f"first use of {sink} by set {world.wanted.name}")
    if world.is_ours(known) or sink not in world.requests.accept_registration:
        return None
    return Why(Reason.ACCEPTED, f"was registered by {known.principal} at {known.server}")


def _gaps(world: World) -> Iterator[Gap]:
    for user in sorted(world.live):
        listing = world.live[user]
        if isinstance(listing, Unread):
            yield Gap(f"user {user}", listing.why)
    for sink in sorted(world.sinks):
        inventory = world.sinks[sink]
        if isinstance(inventory, Unread):
            yield Gap(f"sink {sink}", inventory.why)
            continue
        for key in sorted(inventory.entries):
            entry = inventory.entries[key]
            if isinstance(entry, Unread):
                yield Gap(f"{sink}:{key}", entry.why)
