"""Writing secrets of Actions, each with a variable beside it for the receipt.

Two things, two writes, and no way to write only if nothing changed. So the receipt goes first, without a
time: whoever reads it then knows whose secret was on its way. Then the secret; then the time at which it
changed is read and put beside the receipt. Two writers at one moment would still mislead each other:
this power is `WRITE_ONLY`, and the engine's election keeps them apart.

People and other tools are in no election. So a change counts as ours only if it was made between the two
answers around our write, by GitHub's own clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkRefused, SinkUnsure
from reconciler.http import Answer
from reconciler.sinks.conditions import nothing_written, partly_written, plain
from reconciler.sinks.github.reach import Reach
from reconciler.sinks.github.reader import KEYS, RECEIPT, GithubReader, Kept, Slot, note
from reconciler.sinks.records import Changed, Record, Scan
from reconciler.sinks.registrations import variable_of
from reconciler.sinks.rest import Rest
from reconciler.transaction import awake_or_not

LATEST: Final = 80.0
"""Seconds that a `save` may take before its last write begins.

A `put` has then taken 100 more for its own two looks, and the write may take 115: below five minutes.
"""
PATIENCE: Final = 75.0
"""Seconds in which a write is begun again: GitHub likes to be left alone for a minute."""
_SKEW: Final = timedelta(seconds=1)
"""GitHub tells whole seconds, and more than one of its machines does."""
_WELL: Final = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
_INCOMPLETE: Final = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST)
_LOOKS: Final = 4


@dataclass(frozen=True, slots=True)
class GithubStore:
    """One repository, environment or organisation.

    Attributes:
        reader: Sees the same place.
        writes: Can write below that place, and nowhere else.
        reach: Who may read what is new.
        clock: Seconds, also while the machine sleeps.
    """

    reader: GithubReader
    writes: Rest
    reach: Reach
    clock: Callable[[], float] = awake_or_not

    @property
    def name(self) -> str:
        return self.writes.name

    @property
    def power(self) -> Power:
        return Power.WRITE_ONLY

    @property
    def keys(self) -> KeyRule:
        return KEYS

    def scan(self, keys: Collection[str]) -> Scan:
        return self.reader.scan(keys)

    def fetch(self, key: str) -> Record:
        return self.reader.slot(key).record()

    def probe(self, key: str) -> None:
        """Each probe lacks all that it must have, so GitHub can only say whether we might have written."""
        with nothing_written():
            self.reach.of(self.reader, key, self.reader.slot(key).kept)
            self.reader.lock()
            for method, path in (("PUT", f"secrets/{key.upper()}"), ("POST", "variables")):
                answer = self.writes.send(method, path, {})
                if answer.status not in _INCOMPLETE:
                    raise self._refused(answer)

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        began = self.clock()
        slot = self._unchanged(key, stamp)
        if secret is None:
            self._amend(key, note(receipt, slot.noted), stamp)
            return
        body, coming = self._body(key, slot, secret), note(receipt, None)
        noted = self._upsert(RECEIPT + key.upper(), coming)
        with partly_written("a receipt was written, and says that its secret is still to come"):
            self._check_time(key, began)
            written = self._put(key, body, replace(slot, note=coming))
            changed = self._change_between(key, slot, noted, written)
            self._check_time(key, began)
            self._upsert(RECEIPT + key.upper(), note(receipt, changed))

    def save_registration(self, set_name: SetName, text: str) -> None:
        self._upsert(variable_of(set_name), text)

    def erase(self, key: str, stamp: str) -> None:
        """The secret first: a receipt alone says whose secret was there, and can be removed later."""
        slot = self._unchanged(key, stamp)
        companion = f"variables/{RECEIPT}{key.upper()}"
        if slot.kept is None:
            self._remove(companion, lambda: self._unchanged(key, stamp))
            return
        self._remove(f"secrets/{key.upper()}", lambda: self._unchanged(key, stamp))
        if slot.note is not None:
            left = replace(slot, kept=None).stamp
            with partly_written("the secret was removed, and its receipt may still be there"):
                self._remove(companion, lambda: self._unchanged(key, left))

    def _unchanged(self, key: str, stamp: str) -> Slot:
        """What is there now. Nothing was written yet, so a failed look is a refusal."""
        with nothing_written():
            slot = self.reader.slot(key)
        if slot.stamp != stamp:
            raise self._changed(key)
        return slot

    def _body(self, key: str, slot: Slot, secret: Secret) -> dict[str, object]:
        with nothing_written():
            sealed = self.reader.lock().closed(plain(secret))
            return {**sealed, **self.reach.of(self.reader, key, slot.kept)}

    def _amend(self, key: str, text: str, stamp: str) -> None:
        """Never makes a receipt: without a secret, none may stand there."""
        body = {"name": RECEIPT + key.upper(), "value": text}
        path = f"variables/{RECEIPT}{key.upper()}"
        answer = self.writes.send("PATCH", path, body, still=lambda: self._unchanged(key, stamp))
        if answer.status == HTTPStatus.NOT_FOUND:
            raise self._changed(key)
        self._sent(answer)

    def _put(self, key: str, body: dict[str, object], slot: Slot) -> Answer:
        path = f"secrets/{key.upper()}"
        return self._sent(
            self.writes.send("PUT", path, body, still=lambda: self._unchanged(key, slot.stamp))
        )

    def _upsert(self, name: str, value: str) -> Answer:
        answer = self.writes.send("PATCH", f"variables/{name}", {"name": name, "value": value})
        if answer.status == HTTPStatus.NOT_FOUND:
            body = {"name": name, "value": value, **self.reach.of_variables}
            answer = self.writes.send("POST", "variables", body)
        return self._sent(answer)

    def _check_time(self, key: str, began: float) -> None:
        if self.clock() - began > LATEST:
            raise SinkUnsure(
                f"{self.name}:{key}: GitHub took so long that nothing more was sent",
                hint="run the same command again",
            )

    def _change_between(self, key: str, slot: Slot, before: Answer, after: Answer) -> str:
        """When our write changed the secret; GitHub may take a moment to show it."""
        earlier = slot.kept and slot.kept.changed
        for look in range(_LOOKS):
            self.writes.pace.sleep(look)
            kept = self.reader.kept(key)
            if kept is not None and kept.changed != earlier and _is_between(kept, before, after):
                return kept.changed
        raise SinkUnsure(
            "GitHub does not show the change, or somebody made another one",
            hint="run the same command again",
        )

    def _remove(self, path: str, still: Callable[[], object]) -> None:
        self._sent(self.writes.send("DELETE", path, still=still))

    def _changed(self, key: str) -> Changed:
        return Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")

    def _sent(self, answer: Answer) -> Answer:
        if answer.status not in _WELL:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: Answer) -> SinkRefused:
        error = self.writes.refused(answer)
        return SinkRefused(error.message, hint=error.hint or self.writes.advice)


def _is_between(kept: Kept, before: Answer, after: Answer) -> bool:
    """Whether a secret last changed between two answers; without all three times, nobody knows."""
    begin, end, moment = before.date, after.date, kept.moment
    if begin is None or end is None or moment is None:
        return False
    return begin - _SKEW <= moment <= end + _SKEW
