"""Reading the variables of one project or group, for one environment scope. Its client can only GET.

A 404 counts as "nothing there" only in the words that GitLab has for a variable: a project or a group that
we may not see is a 404, too.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from reconciler.core.keys import VARIABLE_KEYS
from reconciler.core.receipts import version_of
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkUnread
from reconciler.http import Answer, Json
from reconciler.sinks.compact import MARK, expanded
from reconciler.sinks.pages import Entry, Page, whole
from reconciler.sinks.receipt_text import Found, Garbled, registration_from_text
from reconciler.sinks.records import Record, Scan
from reconciler.sinks.registrations import SET, set_of
from reconciler.sinks.rest import Rest

KEYS: Final = replace(
    VARIABLE_KEYS,
    pattern=rf"(?!{SET}){VARIABLE_KEYS.pattern}",
    advice=f"{VARIABLE_KEYS.advice}, nor with {SET}",
    longest=255,
)
REGISTRATION: Final = f"{MARK}registration"
"""The description of a registration. Without it there is none: GitLab before 16.2 keeps no descriptions."""
_SIZE: Final = 100
_NO_VARIABLE: Final = re.compile(r"404 (Group)?Variable Not Found")
_NO_GITLAB: Final = "does `url` lead to GitLab?"
_UNSEEN: Final = "does it exist, and may the token see it? GitLab answers 404 to both"


class GitlabReader:
    """Looks.

    Args:
        rest: Below a project or a group.
        scope: The environment scope, exactly as it is written there.
    """

    def __init__(self, rest: Rest, scope: str) -> None:
        self.scope = scope
        self._rest = rest

    def scan(self, keys: Collection[str]) -> Scan:
        """All records of the scope: one list, page by page."""
        wanted = set(keys)
        entries = {str(each.get("key")): each for each in self._all() if self._is_ours(each)}
        found = {key: as_record(entry) for key, entry in entries.items() if KEYS.accepts(key)}
        records: dict[str, Record | Unread] = {
            key: record
            for key, record in found.items()
            if key in wanted or record.found.receipt is not None
        }
        sets = {
            set_name: str(entry.get("value"))
            for key, entry in entries.items()
            if entry.get("description") == REGISTRATION and (set_name := set_of(key)) is not None
        }
        return Scan(records, sets)

    def entry(self, key: str) -> Entry | None:
        """What GitLab says of one variable; None if there is none."""
        answer = self._rest.look(self.path(key))
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json(dict(entry))) if (
                self._is_ours(entry) and entry.get("key") == key
            ):
                return entry
            case Answer() if is_no_variable(answer):
                return None
            case _:
                raise self._unseen(answer)

    def path(self, key: str) -> str:
        """Where one variable of the scope is."""
        return f"variables/{key}?filter%5Benvironment_scope%5D={quote(self.scope, safe='')}"

    def _is_ours(self, entry: Entry) -> bool:
        return entry.get("environment_scope", "*") == self.scope

    def _all(self) -> list[Entry]:
        return whole(self._page, _SIZE, lambda each: (each["key"], each["environment_scope"]))

    def _page(self, number: int) -> Page:
        answer = self._rest.look(f"variables?per_page={_SIZE}&page={number}")
        total = answer.headers.get("X-Total", "")
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json(list(entries))) if total.isdecimal():
                return Page([_complete(each) for each in entries], int(total))
            case _:
                raise self._unseen(answer)

    def _unseen(self, answer: Answer) -> SinkUnread:
        is_404 = answer.status == HTTPStatus.NOT_FOUND
        hint = _UNSEEN if is_404 else _NO_GITLAB
        return SinkUnread(self._rest.unread(answer).message, hint=hint)


def _complete(entry: object) -> Entry:
    """Raises SinkUnread for what is no variable."""
    match entry:
        case dict(fields) if isinstance(fields.get("key"), str):
            return {"environment_scope": "*", **fields}
        case _:
            raise SinkUnread("GitLab lists something that is no variable", hint=_NO_GITLAB)


def is_no_variable(answer: Answer) -> bool:
    """Whether GitLab says that there is no such variable, in a project or group that we see."""
    said = answer.message or ""
    return answer.status == HTTPStatus.NOT_FOUND and _NO_VARIABLE.fullmatch(said) is not None


def is_registration(entry: Entry) -> bool:
    """Whether a variable is one of ours, by its description, or by its value on an older server."""
    if entry.get("description") == REGISTRATION:
        return True
    try:
        registration_from_text(str(entry.get("value")))
    except Garbled:
        return False
    return True


def as_record(entry: Entry) -> Record:
    """What a variable holds. That nothing is known of a hidden value but its receipt, GitLab says itself."""
    receipt, value = expanded(str(entry.get("description") or "")), entry.get("value")
    if isinstance(value, str) and not entry.get("hidden"):
        found = Found(receipt, Secret(value))
    else:
        found = Found(receipt, bound=receipt is not None)
    return Record(found, version_of(found.judged()))
