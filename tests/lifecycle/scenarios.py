"""Where histories begin, who takes part, and what must hold (DESIGN §5, sinks.md §7.4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from boundary import lookup_of
from explorer import Scenario
from memory import START, Cell, Memory, Store, secret_of
from runs import Program
from worlds import BOT, SERVER, SET, US

from reconciler.core.receipts import Place, Receipt, Registration, SinkName, Stored, TokenRef
from reconciler.core.spec import ExpiresIn, Location, TokenSet, TokenSpec, Tombstone
from reconciler.core.tokens import LiveToken, TokenId, UserId
from reconciler.core.world import Requests

KEY = "key"
WHERE = Location("tokens.yaml", 5, 3)
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
        where=WHERE,
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


def marked(kinds: Sequence[str], runs: int = 2, **kw: Any) -> Scenario:
    """A run stored a secret and died before its hook; besides, the file asks for protection."""
    left = replace(receipt(HELD), undeployed=True)
    start = memory(kinds, [left] * len(kinds), HELD)
    facts = {"rotation": 0, "protect": True, "deploys": True, **kw}
    return _scenario("marked", kinds, start, runs, **facts)


def removing(kinds: Sequence[str], runs: int = 2, **kw: Any) -> Scenario:
    """The entry is gone from the file, and its receipts name two tokens. No other token is left."""
    start = memory(kinds, [receipt(HELD, OLDER)] * len(kinds), HELD, OLDER)
    start = replace(start, listed=(HELD, OLDER))
    scenario = _scenario("remove", kinds, start, runs, **kw)
    bare = TokenSet(SET, (), (Tombstone(SET, "none", BOT, "none", "", WHERE),))
    both = Requests(allow_revoke=frozenset({HELD.id, OLDER.id}))
    remove = replace(scenario.settle, wanted=bare, requests=both)
    first = replace(remove, sleeps=scenario.naps > 0)
    scenario = replace(scenario, programs=[first] * runs, settle=remove)
    return replace(scenario, during=none_forgotten, after=nothing_left)


def _scenario(story: str, kinds: Sequence[str], start: Memory, runs: int, **kw: Any) -> Scenario:
    options = {"two_steps": kw.pop("two_steps", False), "sleeps": kw.get("naps", 0) > 0}
    options["deploys"] = kw.pop("deploys", False)
    prunes = kw.pop("prunes", False)
    facts = {key: kw.pop(key) for key in ("rotation", "overlap_days", "protect") if key in kw}
    if options["deploys"]:
        start = replace(start, deployed=_deployed(start))
    asked = wanted(kinds, **{"rotation": 1, "overlap_days": 0, **facts})
    apply = Program(asked, _named(kinds), **options)
    pruner = [replace(apply, prunes=True)] if prunes else []
    title = f"{story} {'+'.join(kinds)}, {runs} runs" + (" and a pruner" if prunes else "")
    title += ", a week of overlap" if facts.get("overlap_days") else ""
    title += ", slow server" if options["two_steps"] else ""
    title += ", naps" if options["sleeps"] else ""
    title += ", hooks" if options["deploys"] else ""
    settle = replace(apply, sleeps=False)
    return Scenario(title, start, [apply] * runs + pruner, settle, during, after, **kw)


def _deployed(start: Memory) -> frozenset[tuple[SinkName, TokenId | None]]:
    cells = ((name, store.at(KEY)) for name, store in start.stores)
    return frozenset((name, c.value) for name, c in cells if c.receipt and not c.receipt.undeployed)


# What must hold.


def during(before: Memory, after: Memory) -> str:
    """I1 to I4 and I6, from one step to the next."""
    if taken := {id_ for id_ in after.revoked - before.revoked if id_.startswith("h")}:
        return f"I3: {min(taken)}, which is not ours, was revoked"
    for (name, old), (_, new) in zip(before.stores, after.stores, strict=True):
        value, had = new.at(KEY).value, old.at(KEY).value
        if value in after.revoked:
            return f"I1: {name} holds {value}, which was revoked"
        if had is not None and (value is None or not after.works(value)):
            return f"I2: a consumer of {name} was let in, and now has {value}"
    return "" if after.deployed is None else _unsaid(after, after.deployed)


def _unsaid(memory: Memory, deployed: Collection[tuple[SinkName, TokenId | None]]) -> str:
    """I6: a hook that has still to succeed for what a place holds is said there."""
    for name, store in memory.stores:
        found = lookup_of(store.kind, store.at(KEY))
        if isinstance(found, Stored) and not found.receipt.undeployed:
            token = found.receipt.token.id
            if (name, token) not in deployed:
                return f"I6: no hook has succeeded for {token} in {name}, and nothing says so"
    return ""


def after(memory: Memory) -> str:
    """I4 to I6, once two clean runs are over."""
    cells = [store.at(KEY) for _, store in memory.stores]
    values = {cell.value for cell in cells}
    claimed = {cell.receipt.token.id if cell.receipt else None for cell in cells}
    ours = {token.id for token in memory.listed} - {BY_HAND.id}
    if claimed != values:
        return f"I4: receipts name {claimed}, consumers read {values}"
    if values != ours or len(ours) != 1:
        return f"I5: consumers read {values}, alive are {ours}"
    if any(cell.receipt.undeployed for cell in cells if cell.receipt):
        return "I6: every hook has succeeded, and still one is asked for"
    return ""


# And where an entry goes.


def none_forgotten(before: Memory, after: Memory) -> str:
    """Of what works, something tells."""
    receipts = (store.at(KEY).receipt for _, store in after.stores)
    told = {ref.id for receipt in filter(None, receipts) for ref in receipt.named}
    lost = {token.id for token in after.listed} - told
    return f"I3: {min(lost)} is alive, and no receipt tells of it" if lost else ""


def nothing_left(memory: Memory) -> str:
    left = [str(store.at(KEY)) for _, store in memory.stores if store.at(KEY).receipt or store.at(KEY).value]
    return f"I5: left are {left}, {memory.listed}" if left or memory.listed else ""
