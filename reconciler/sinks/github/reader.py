"""Reading the secrets and variables of one place on GitHub. Nothing here has a client that could write.

GitHub never gives a secret back, only when it last changed. So a variable beside each secret holds the
receipt and the time of the change that it was written for: they belong together while the times agree.

A 404 is what GitHub also answers to whoever may not look. It counts as "nothing there" only beside a list
of the same place that we were given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Final

from reconciler.core.keys import VARIABLE_KEYS
from reconciler.core.tokens import Unread
from reconciler.errors import SinkUnread
from reconciler.http import Answer, Json
from reconciler.sinks.github.seal import Lock
from reconciler.sinks.pages import Entry, Page, whole
from reconciler.sinks.receipt_text import Found, Garbled, from_text, to_text
from reconciler.sinks.records import NOTHING, Record, Scan
from reconciler.sinks.registrations import set_of
from reconciler.sinks.rest import Rest

KEYS: Final = replace(
    VARIABLE_KEYS,
    pattern=r"(?ai:(?!GITHUB_)[A-Z_][A-Z0-9_]*)",
    advice=f"{VARIABLE_KEYS.advice}, nor with GITHUB_",
    folds_case=True,
)
"""GitHub turns every name into capitals; those of ASCII, or `ı` would be an `I` to us alone."""
RECEIPT: Final = "NETBIRD_TOKENS_RECEIPT_"
SECRETS: Final = ("secrets", 100)
VARIABLES: Final = ("variables", 30)
"""Where a list is, and the most entries that a page of it can have."""
_NO_GITHUB: Final = "does `api_url` lead to GitHub's API? That of an own server ends in /api/v3"
_NOT_FOUND: Final = "Not Found"
_HIDDEN: Final = "may the token see all of them? GitHub would take the secret from the others"
_UNSEEN: Final = "does it exist, and may the token see it? GitHub answers 404 to both"


@dataclass(frozen=True, slots=True)
class Kept:
    """What GitHub says of a secret.

    Attributes:
        changed: When it last was, to the second.
        visibility: `all`, `private` or `selected`; empty where it is no secret of an organisation.
    """

    changed: str
    visibility: str = ""

    @property
    def moment(self) -> datetime | None:
        """The same as a time; None if it is none."""
        try:
            return datetime.fromisoformat(self.changed).astimezone(UTC)
        except ValueError:
            return None

    @staticmethod
    def of(entry: Entry) -> Kept:
        match entry:
            case {"updated_at": str(text)}:
                return Kept(_instant(text), str(entry.get("visibility", "")))
            case _:
                raise SinkUnread("GitHub does not say when a secret last changed", hint=_NO_GITHUB)


@dataclass(frozen=True, slots=True)
class Slot:
    """What GitHub shows of one key: a secret, and the companion variable; None where there is none."""

    kept: Kept | None = None
    note: str | None = None

    def record(self) -> Record:
        if self.kept is None and self.note is None:
            return NOTHING
        receipt, noted = _parts(self.note)
        bound = None if self.kept is None else noted == self.kept.changed
        return Record(Found(receipt, bound=bound), self.stamp)

    @property
    def noted(self) -> str | None:
        """The change of the secret that the receipt was written for; None while it was on its way."""
        return _parts(self.note)[1]

    @property
    def stamp(self) -> str:
        """Changes whenever secret or variable do; empty if there is neither."""
        if self.kept is None and self.note is None:
            return ""
        text = f"{self.kept and self.kept.changed}\0{self.note}"
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:20]


def note(receipt: str, written: str | None) -> str:
    """What a companion variable says."""
    return to_text({"written": written, "receipt": json.loads(receipt)})


def _parts(text: str | None) -> tuple[str | None, str | None]:
    """The receipt as it is written, and the time beside it."""
    if text is None:
        return None, None
    try:
        said = from_text(text)
    except Garbled:
        return text, None
    match said:
        case {"written": str(written), "receipt": receipt}:
            return to_text(receipt), written
        case {"receipt": receipt}:
            return to_text(receipt), None
        case _:
            return text, None


class GithubReader:
    """Looks.

    Args:
        rest: Below the place: a repository, an environment of it, or an organisation. Can only GET.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        # What a write looks at must not take long: see `store.LATEST`.
        self._brisk = replace(rest, pace=replace(rest.pace, deadline=10.0))

    def scan(self, keys: Collection[str]) -> Scan:
        """Every record: two lists, page by page."""
        spelt = {key.upper(): key for key in keys}
        secrets = {_name(each): Kept.of(each) for each in self._all(*SECRETS)}
        variables = {_name(each): str(each.get("value")) for each in self._all(*VARIABLES)}
        noted = {name.removeprefix(RECEIPT) for name in variables if name.startswith(RECEIPT)}
        records = {
            spelt.get(name, name): Slot(secrets.get(name), variables.get(RECEIPT + name)).record()
            for name in sorted(noted | (secrets.keys() & spelt.keys()))
        }
        sets = {
            set_name: text
            for name, text in variables.items()
            if (set_name := set_of(name)) is not None
        }
        return Scan(dict[str, Record | Unread](records), sets)

    def slot(self, key: str) -> Slot:
        """What is at one key now."""
        kept = self.kept(key)
        variable = self._one(VARIABLES[0], RECEIPT + key.upper())
        return Slot(kept, None if variable is None else str(variable.get("value")))

    def kept(self, key: str) -> Kept | None:
        """What is said of one secret; None if there is none."""
        entry = self._one(SECRETS[0], key.upper())
        return None if entry is None else Kept.of(entry)

    def lock(self) -> Lock:
        """The public key of this place."""
        answer = self._brisk.look("secrets/public-key")
        match answer:
            case Answer(
                status=HTTPStatus.OK, content=Json({"key_id": str(number), "key": str(key)})
            ):
                return Lock(number, key)
            case _:
                raise self._unseen(answer)

    def selected(self, key: str) -> list[int]:
        """The ids of the repositories that may read a secret of an organisation."""
        path = f"secrets/{key.upper()}/repositories"
        try:
            found = self._all(path, SECRETS[1], "repositories", "id")
        except SinkUnread as error:
            text = f"who may read {key.upper()} cannot be told: {error.message}"
            raise SinkUnread(text, hint=_HIDDEN) from None
        return [number for each in found if isinstance(number := each.get("id"), int)]

    def _all(self, path: str, size: int, field: str = "", name: str = "name") -> list[Entry]:
        read = partial(self._page, self._rest, path, size, field or path)
        return whole(read, size, lambda entry: entry.get(name))

    def _page(self, rest: Rest, path: str, size: int, field: str, number: int) -> Page:
        answer = rest.look(f"{path}?per_page={size}&page={number}")
        match answer:
            case Answer(
                status=HTTPStatus.OK, content=Json({"total_count": int(total), **said})
            ) if isinstance(entries := said.get(field), list):
                return Page([each for each in entries if isinstance(each, Mapping)], total)
            case _:
                raise self._unseen(answer)

    def _one(self, kind: str, name: str) -> Entry | None:
        answer = self._brisk.look(f"{kind}/{name}")
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json(dict(said))) if _name(said) == name:
                return said
            case Answer(status=HTTPStatus.NOT_FOUND):
                self._page(self._brisk, kind, 1, kind, 1)
                return None
            case _:
                raise self._unseen(answer)

    def _unseen(self, answer: Answer) -> SinkUnread:
        hint = _UNSEEN if answer.message == _NOT_FOUND else _NO_GITHUB
        return SinkUnread(self._rest.unread(answer).message, hint=hint)


def _name(entry: Entry) -> str:
    return str(entry.get("name")).upper()


def _instant(text: str) -> str:
    """One spelling for one moment, whichever way GitHub writes it."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except ValueError:
        return text
