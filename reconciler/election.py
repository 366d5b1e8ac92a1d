"""Which of several runs may go on where a sink cannot refuse the later of two writers (sinks.md §7.2).

The token list is the ballot: every run mints first and lists afterwards, so of two runs at least one
sees the other, and the older token wins. The loser's token is in no sink, so it can go at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.core.tokens import LiveToken
from reconciler.core.world import GRACE

SETTLE: Final = 2.0
"""Seconds from the POST to the list: longer than a server takes from stamping a token to showing it."""


def objection(mine: LiveToken, listed: Iterable[LiveToken]) -> str:
    """Why the run that minted `mine` must not store it; empty if it may.

    A rival counts even if a sink holds it already: its run may still be writing to the next one.
    """
    tokens = {token.id: token for token in listed}
    if mine.id not in tokens:
        return "the server does not list the new token yet, so nobody can say who was first"
    since = mine.created_at - GRACE
    elder = [
        token
        for token in tokens.values()
        if token.name == mine.name
        and token.created_at > since
        and _seniority(token) < _seniority(tokens[mine.id])
    ]
    if not elder:
        return ""
    first = min(elder, key=_seniority)
    return f"another run made {first.id} for the same entry less than {GRACE.seconds // 60} minutes ago"


def _seniority(token: LiveToken) -> tuple[object, str]:
    return token.created_at, token.id
