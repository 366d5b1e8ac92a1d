"""import: a token file for what is live. It adopts by id, so it replaces nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.keys import KeyRule
from reconciler.core.people import CURRENT, Directory
from reconciler.core.receipts import SetName, SinkName
from reconciler.core.tokens import MAX_DAYS, LiveToken, Unread, User
from reconciler.errors import ExitCode, UsageError
from reconciler.reports.escape import terminal, yaml
from reconciler.source.schema import schema_text
from reconciler.source.validator import prepared
from reconciler.wiring import Parts

_USUAL: Final = SinkName("local")
"""The sink of an entry that names none."""


def import_tokens(parts: Parts, desk: Desk, users: tuple[str, ...], name: str) -> ExitCode:
    """Print a token file for what is live, so that `plan` finds nothing to do."""
    sink = _USUAL if _USUAL in parts.keys else min(parts.keys)
    with parts.reader() as api:
        people, now = Directory(api.users()), api.server_time()
        chosen = _chosen(people, users)
        listed = {user: api.tokens(user.id) for user in chosen}
    defaults = [f"user: {_spelled(chosen[0])}"] if len(chosen) == 1 else []
    defaults += [f"sinks: [{sink}]"] if sink != _USUAL else []
    lines = ["apiVersion: netbird-tokens/v1", "kind: TokenSet", f"name: {name}"]
    lines += [f"defaults: {{{', '.join(defaults)}}}"] if defaults else []
    lines.append("tokens:")
    keys = _Keys(sink, parts.keys[sink], SetName(name))
    for user, tokens in listed.items():
        whose = [f"    user: {_spelled(user)}"] if len(chosen) > 1 else []
        for token, left_out in _judged(tokens, now):
            if left_out:
                lines.append(f"  # {terminal(token.name)} ({token.id}) {left_out}: left out")
            else:
                lines += [f"  - name: {yaml(token.name)}", *whose, *_rest(token), *keys.of(token)]
    desk.show("\n".join(lines))
    desk.note("next: save this as tokens.yaml; then `netbird-tokens plan` has nothing to do")
    return ExitCode.OK


def _chosen(people: Directory, wanted: Sequence[str]) -> list[User]:
    """Whose tokens, each user once; our own where nobody is named. Raises UsageError."""
    found = [people.find(written) for written in wanted or (CURRENT,)]
    for each in found:
        if isinstance(each, Unread):
            raise UsageError(each.why, hint="see the ids in the NetBird dashboard")
    return [user for id_, user in sorted(people.by_id.items()) if id_ in found]


def _spelled(user: User) -> str:
    return yaml(user.name if user.is_service_user and user.name else user.id)


def _judged(tokens: Sequence[LiveToken], now: datetime) -> Iterator[tuple[LiveToken, str]]:
    """Each token, the longest to live first, and why it cannot be an entry."""
    possible = prepared(json.loads(schema_text("tokenset.v1"))["definitions"]["name"])
    seen: set[str] = set()
    for token in sorted(tokens, key=lambda t: (t.expires_at, t.id), reverse=True):
        if not token.works(now):
            yield token, f"expired {token.expires_at:%Y-%m-%d}"
        elif token.name in seen:
            yield token, "has the name of an entry above"
        elif not possible.is_valid(token.name):
            yield token, "has a name that no entry can have"
        else:
            seen.add(token.name)
            yield token, ""


def _rest(token: LiveToken) -> Iterator[str]:
    yield f"    expires_in: {min(max(token.days, 1), MAX_DAYS)}"
    yield f"    adopt: {token.id}"


class _Keys:
    """Where each secret shall lie: said only where the name gives no key, or one that is taken."""

    def __init__(self, sink: SinkName, rule: KeyRule, set_name: SetName) -> None:
        self._sink, self._rule, self._set = sink, rule, set_name
        self._taken: set[str] = set()

    def of(self, token: LiveToken) -> Iterator[str]:
        key = self._rule.default(self._set, token.name)
        if not self._rule.accepts(key) or self._rule.canonical(key) in self._taken:
            key = self._rule.default(self._set, token.id)
            yield f"    sinks: [{{sink: {self._sink}, key: {key}}}]"
        self._taken.add(self._rule.canonical(key))
