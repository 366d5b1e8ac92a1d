"""Where histories begin, who takes part, and what must hold (DESIGN §5, sinks.md §7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from explorer import Scenario
from memory import START, Cell, Memory, Store, secret_of
from runs import Program
from worlds import BOT, SERVER, SET, US

from reconciler.core.receipts import Place, Receipt, Registration, SinkName, TokenRef
from reconciler.core.spec import ExpiresIn, Location, TokenSet, TokenSpec
from reconciler.core.tokens import LiveToken, TokenId, UserId

KEY = "key"
ADMIN = UserId("admin")
REGISTERED = Registration(SET, SERVER, US, START - timedelta(days=300))


def wanted(kinds: Sequence[str], **kw: Any) -> TokenSet:
    spec = TokenSpec(
        set=SET,
        name="deploy",
        user=BOT,
        live_name="deploy",
        lifetime=ExpiresIn(90),
        places=tuple(Place(sink, KEY) for sink, _ in _named(kinds)),
        where=Location("tokens.yaml", 5, 3),
        **kw,
    )
    return TokenSet(SET, (spec,))


def _named(kinds: Sequence[str]) -> tuple[tuple[SinkName, str], ...]:
    return tuple((SinkName(f"{kind}{at}"), kind) for at, kind in enumerate(kinds, 1))


def live(id_: str, days_old: float, **kw: Any) -> LiveToken:
    made = START - timedelta(days=days_old)
    facts: dict[str, Any] = {"created_by": US, "last_used": None, **kw}
    return LiveToken(
        TokenId(id_), BOT, "deploy", facts["created_by"], made, made + timedelta(days=90),
        facts["last_used"],
    )  # fmt: skip


def receipt(of: LiveToken, *predecessors: LiveToken) -> Receipt:
    return Receipt(
        TokenRef(of.user, of.id), SET, "deploy", of.created_at, of.expires_at,
        secret_of(of.id).fingerprint(),
        predecessors=tuple(TokenRef(p.user, p.id) for p in predecessors),
    )  # fmt: skip


HELD = live("a1", 20, last_used=START - timedelta(hours=1))
OLDER = live("a0", 40, last_used=START - timedelta(days=9))
BY_HAND = live("h1", 3, created_by=ADMIN)
"""Somebody else's, of the same user and name: never ours to touch."""


def memory(kinds: Sequence[str], holds: Sequence[Receipt | None], *tokens: LiveToken) -> Memory:
    stores = tuple(
        (name, Store(kind, ((KEY, Cell(r.token.id, r, 1, START, START)),) if r else (), REGISTERED))
        for (name, kind), r in zip(_named(kinds), holds, strict=True)
    )
    return Memory(stores, (*tokens, BY_HAND))


def empty(kinds: Sequence[str]) -> Memory:
    """No run was ever here."""
    stores = tuple((name, Store(kind)) for name, kind in _named(kinds))
    return Memory(stores, (BY_HAND,))


def rotating(kinds: Sequence[str], runs: int = 2, **kw: Any) -> Scenario:
    """The file asks for a rotation; several runs set about it at once."""
    held = receipt(HELD, OLDER)
    start = memory(kinds, [held] * len(kinds), HELD, OLDER)
    return _scenario("rotate", kinds, start, runs, **kw)


def creating(kinds: Sequence[str], runs: int = 2, **kw: Any) -> Scenario:
    """The first token of all."""
    return _scenario("create", kinds, empty(kinds), runs, rotation=0, **kw)


def halfway(kinds: Sequence[str], runs: int = 2, **kw: Any) -> Scenario:
    """An earlier run died between its first and its second sink, a moment ago."""
    young = live("a2", 0.001)
    holds = [receipt(young, HELD), *([receipt(HELD)] * (len(kinds) - 1))]
    return _scenario("halfway", kinds, memory(kinds, holds, young, HELD), runs, **kw)


def retiring(kinds: Sequence[str], runs: int = 2, **kw: Any) -> Scenario:
    """A superseded token has served its time, and its successor is in every sink."""
    start = memory(kinds, [receipt(HELD, OLDER)] * len(kinds), HELD, OLDER)
    return _scenario("retire", kinds, start, runs, rotation=0, **kw)


def _scenario(story: str, kinds: Sequence[str], start: Memory, runs: int, **kw: Any) -> Scenario:
    options = {"two_steps": kw.pop("two_steps", False), "sleeps": kw.get("naps", 0) > 0}
    prunes = kw.pop("prunes", False)
    facts = {key: kw.pop(key) for key in ("rotation", "overlap_days") if key in kw}
    asked = wanted(kinds, **{"rotation": 1, "overlap_days": 0, **facts})
    apply = Program(asked, _named(kinds), **options)
    pruner = [replace(apply, prunes=True)] if prunes else []
    title = f"{story} {'+'.join(kinds)}, {runs} runs" + (" and a pruner" if prunes else "")
    title += ", a week of overlap" if facts.get("overlap_days") else ""
    title += ", slow server" if options["two_steps"] else ""
    title += ", naps" if options["sleeps"] else ""
    return Scenario(title, start, [apply] * runs + pruner, replace(apply, sleeps=False), **kw)


# What must hold.


def during(before: Memory, after: Memory) -> str:
    """I1 to I4, from one step to the next."""
    if taken := {id_ for id_ in after.revoked - before.revoked if id_.startswith("h")}:
        return f"I3: {min(taken)}, which is not ours, was revoked"
    for (name, old), (_, new) in zip(before.stores, after.stores, strict=True):
        value, had = new.at(KEY).value, old.at(KEY).value
        if value in after.revoked:
            return f"I1: {name} holds {value}, which was revoked"
        if had is not None and (value is None or not after.works(value)):
            return f"I2: a consumer of {name} was let in, and now has {value}"
    return ""


def after(memory: Memory) -> str:
    """I4 and I5, once two clean runs are over."""
    cells = [store.at(KEY) for _, store in memory.stores]
    values = {cell.value for cell in cells}
    claimed = {cell.receipt.token.id if cell.receipt else None for cell in cells}
    ours = {token.id for token in memory.listed} - {BY_HAND.id}
    if claimed != values:
        return f"I4: receipts name {claimed}, consumers read {values}"
    if values != ours or len(ours) != 1:
        return f"I5: consumers read {values}, alive are {ours}"
    return ""
