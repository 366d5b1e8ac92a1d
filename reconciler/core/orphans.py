"""How a token that a run of ours minted and never stored is told from everybody else's (DESIGN §4).

Nothing on the server says so: it takes every sign at once, and places that can be trusted.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.core.ledger import Ledger
from reconciler.core.receipts import Absent, Stored
from reconciler.core.spec import TokenSpec
from reconciler.core.timing import overlap
from reconciler.core.tokens import LiveToken
from reconciler.core.world import GRACE


def is_orphan(spec: TokenSpec, token: LiveToken, ledger: Ledger) -> bool:
    """Whether no place can hold its secret. A value that no receipt describes might be just that."""
    known = all(isinstance(ledger.world.at(place), Stored | Absent) for place in spec.places)
    return known and looks_unstored(spec, token, ledger)


def looks_unstored(spec: TokenSpec, token: LiveToken, ledger: Ledger) -> bool:
    """Made by us after we registered, never used, in no receipt."""
    if token.created_by != ledger.world.principal or token.last_used is not None:
        return False
    if ledger.sets_naming.get(token.id):
        return False
    registrations = [ledger.world.registration(place.sink) for place in spec.places]
    return all(known is not None and token.created_at >= known.since for known in registrations)


def idle_since(spec: TokenSpec, token: LiveToken) -> datetime:
    """When a token that nobody used counts as one that nobody has: a whole overlap after it was made.

    It may be in a sink that this config does not name: another set's, or that of another checkout. What
    holds for a superseded token holds for it, too. To wait costs nothing: nobody knows an orphan's secret.
    """
    return token.created_at + max(GRACE, overlap(spec, token))
