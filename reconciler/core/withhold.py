"""The last word over everything that would write: what a plan never does, whatever proposed it.

Nobody revokes a token younger than the grace, nor what we may be running with, nor what a write that
was cut off may have left readable. While some sink is unread, a receipt may have escaped us: then
nothing is revoked and nothing is created.
"""

from __future__ import annotations

from reconciler.core.changes import Blocked, Change, Clean, Create, Revoke, Wait
from reconciler.core.ledger import Ledger
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import TokenRef
from reconciler.core.world import GRACE

_BLIND = Why(Reason.UNREAD, "a sink could not be read, so nobody can say whose it is")


def withhold(change: Change, ledger: Ledger) -> Change:
    """The change, or the remark that takes its place."""
    match change:
        case Revoke():
            return _revoke(change, ledger)
        case Create() if ledger.blind:
            why = Why(Reason.UNREAD, "a sink could not be read; its secret may be there")
            return Blocked(change.spec.name, change.spec.user, why, change.spec.where)
        case Clean() if ledger.blind:
            return Blocked(change.name, change.token.user, _BLIND)
        case _:
            return change


def _revoke(change: Revoke, ledger: Ledger) -> Change:
    token, now = change.token, ledger.world.now
    if token.id in ledger.own:
        why = Why(Reason.OWN, f"{change.why.text}; but this run may be using it")
        return Wait(change.name, token, why)
    if ledger.blind:
        return Wait(change.name, token, _BLIND)
    if TokenRef(token.user, token.id) in ledger.suspects:
        why = Why(Reason.PENDING, f"{change.why.text}; but a damaged place may hold its secret")
        return Wait(change.name, token, why)
    if token.age(now) < GRACE:
        until = token.created_at + GRACE
        return Wait(
            change.name, token, Why(Reason.YOUNG, f"{change.why.text}; but it is new"), until
        )
    return change
