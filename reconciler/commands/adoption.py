"""import: a token file for what is live. It adopts by id, so it replaces nothing.

What it prints can be read back, and leads to a plan without effects. What cannot be an entry is a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.commands.desk import Desk
from reconciler.core.keys import KeyRule
from reconciler.core.people import CURRENT, Directory
from reconciler.core.receipts import Place, SetName, SinkName, receipt_of
from reconciler.core.secret import hide_tokens
from reconciler.core.spec import ExpiresIn, Location, TokenSpec
from reconciler.core.timing import renews_at
from reconciler.core.tokens import DAY, MAX_DAYS, LiveToken, TokenId, Unread, User, UserId
from reconciler.core.world import BY_HAND
from reconciler.errors import ExitCode, SinkUnread, UsageError
from reconciler.reports.escape import terminal, yaml
from reconciler.source.schema import inlined
from reconciler.source.validator import prepared
from reconciler.wiring import Parts

_USUAL: Final = SinkName("local")
"""The sink of an entry that names none."""
_LONGEST_KEY: Final = 128
"""Of a key that we choose: a file system has room for it, and for what stands beside it."""
_HERE: Final = Location("import", 1, 1)


def import_tokens(parts: Parts, desk: Desk, users: tuple[str, ...], name: str) -> ExitCode:
    """Print a token file for what is live, so that `plan` finds nothing to do.

    Raises:
        UsageError: No set can have this name, a user is not known, or nothing can be an entry.
        SinkUnread: Who knows which of these tokens it holds.
    """
    set_name = _checked(name)
    sink = _USUAL if _USUAL in parts.keys else min(parts.keys)
    known = _known(parts, set_name)
    with parts.reader() as api:
        people, now = Directory(api.users()), api.server_time()
        chosen = _chosen(people, users)
        listed = {user.id: api.tokens(user.id) for user in chosen}
    keys = _Keys(Place(sink, ""), parts.keys[sink], set_name)
    draft = _Draft(parts, keys, known, people.principal.id, now)
    whose = {user.id: _spelled(user, people) for user in chosen}
    head = ["apiVersion: netbird-tokens/v1", "kind: TokenSet", f"name: {yaml(name)}"]
    defaults = [f"user: {yaml(whose[chosen[0].id] or CURRENT)}"] if len(chosen) == 1 else []
    defaults += [f"sinks: [{yaml(sink)}]"] if sink != _USUAL else []
    head += [f"defaults: {{{', '.join(defaults)}}}"] if defaults else []
    for user in chosen:
        draft.add(listed[user.id], whose[user.id], alone=len(chosen) == 1)
    if not draft.count:
        for line in draft.lines:
            desk.note(line)
        raise UsageError(
            "there is nothing to import: no live token can be an entry",
            hint="begin with `netbird-tokens init`, or name other users with --user-id",
        )
    desk.show("\n".join([*head, "tokens:", *draft.lines]))
    if draft.left_out:
        desk.note(f"left out: {draft.left_out}; a comment says why for each")
    desk.note("next: save this as tokens.yaml; then `netbird-tokens plan` has nothing to do")
    return ExitCode.OK


def _checked(name: str) -> SetName:
    pattern = inlined("tokenset.v1")["properties"]["name"]
    if not prepared(pattern).is_valid(name) or name == BY_HAND:
        raise UsageError(
            f"--name {name!r} is no name for a set", hint=f"it {pattern['errorMessage']}"
        )
    return SetName(name)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the sinks tell of live tokens.

    Attributes:
        sets: The set of each token whose secret a sink holds for one.
        stored: Every token that any receipt names.
        since: When the first of the sets was registered; None: no run of ours ever made a token here.
    """

    sets: Mapping[TokenId, SetName]
    stored: frozenset[TokenId]
    since: datetime | None

    def may_be_lost(self, token: LiveToken, principal: UserId) -> bool:
        """Whether it looks like what a run leaves that dies before it has stored the secret."""
        ours = token.created_by == principal and token.last_used is None
        return (
            ours
            and token.id not in self.stored
            and self.since is not None
            and token.created_at >= self.since
        )


def _known(parts: Parts, new: SetName) -> _Known:
    """Raises UsageError if a sink knows the new set already."""
    sets: dict[TokenId, SetName] = {}
    stored: set[TokenId] = set()
    since: list[datetime] = []
    for name, sink in parts.sinks.items():
        inventory = sink.inventory(())
        since += [registration.since for registration in inventory.registrations.values()]
        known = set(inventory.registrations)
        for key, entry in sorted(inventory.entries.items()):
            if isinstance(entry, Unread):
                raise SinkUnread(f"{Place(name, key)}: {entry.why}")
            receipt = receipt_of(entry)
            stored.update(ref.id for ref in (receipt.named if receipt else ()))
            if receipt is not None and receipt.set != BY_HAND:
                known.add(receipt.set)
                sets.update((ref.id, receipt.set) for ref in receipt.named)
        if new in known:
            raise UsageError(
                f"sink {name} knows a set {new}; what its file does not list would be revoked",
                hint="choose another --name, or write entries with `adopt` into its file",
            )
    return _Known(sets, frozenset(stored), min(since, default=None))


def _chosen(people: Directory, wanted: Sequence[str]) -> list[User]:
    """Whose tokens, each user once; our own where nobody is named. Raises UsageError."""
    found = [people.find(written) for written in wanted or (CURRENT,)]
    for each in found:
        if isinstance(each, Unread):
            raise UsageError(each.why, hint="see the ids in the NetBird dashboard")
    return [user for id_, user in sorted(people.by_id.items()) if id_ in found]


def _spelled(user: User, people: Directory) -> str:
    """What means this user and nobody else, also to who reads the file back; empty if nothing does."""
    name = user.name if user.is_service_user else ""
    own = CURRENT if user is people.principal else ""
    for written in (name, user.id, own):
        if _fits("user", written) and people.find(written) == user.id:
            return written
    return ""


def _fits(field_: str, value: str) -> bool:
    """Whether a file may say this in an entry."""
    entry = inlined("tokenset.v1")["properties"]["tokens"]["items"]["properties"]
    return hide_tokens(value) == value and prepared(entry[field_]).is_valid(value)


class _Keys:
    """Where each secret shall lie: said only where the name gives no key, or one that is taken."""

    def __init__(self, sink: Place, rule: KeyRule, set_name: SetName) -> None:
        self.set = set_name
        self._sink, self._rule = sink.sink, rule
        self._taken: set[str] = set()

    def of(self, token: LiveToken) -> list[str]:
        """The line that names the key; none where it is the default."""
        usual = self._rule.default(self.set, token.name)
        for key in (usual, self._rule.default(self.set, token.id), f"nb_{token.id}"):
            if self._is_free(key):
                self._taken.add(self._rule.canonical(key))
                place = f"{{sink: {yaml(self._sink)}, key: {yaml(key)}}}"
                return [] if key == usual else [f"    sinks: [{place}]"]
        raise UsageError(
            f"sink {self._sink} has no key for {token.id}", hint="choose another --name"
        )

    def _is_free(self, key: str) -> bool:
        fits = len(key) <= _LONGEST_KEY and self._rule.accepts(key)
        return fits and self._rule.canonical(key) not in self._taken


@dataclass
class _Draft:
    """The entries as they come, and comments for what is left out."""

    parts: Parts
    keys: _Keys
    known: _Known
    principal: UserId
    now: datetime
    lines: list[str] = field(default_factory=list)
    count: int = 0
    left_out: int = 0

    def add(self, tokens: Sequence[LiveToken], user: str, *, alone: bool) -> None:
        """The tokens of one user, the longest to live first; `alone`: the defaults say whose they are."""
        seen: set[str] = set()
        for token in sorted(tokens, key=lambda t: (t.expires_at, t.id), reverse=True):
            why = "" if user else "has a user whom no file can name"
            if why := why or self._objection(token, seen):
                self.left_out += 1
                self.lines.append(f"  # {terminal(token.name)} ({token.id}) {why}: left out")
            else:
                self.count += 1
                seen.add(token.name)
                whose = [] if alone else [f"    user: {yaml(user)}"]
                self.lines += [f"  - name: {yaml(token.name)}", *whose, *self._rest(token)]

    def _objection(self, token: LiveToken, seen: set[str]) -> str:
        """Why it cannot be an entry."""
        live_name = self.parts.config.live_name_of(self.keys.set, token.name)
        if not token.works(self.now):
            return f"expired {token.expires_at.date()}"
        if hide_tokens(token.name) != token.name:
            return "HAS A SECRET FOR A NAME: whoever may list tokens can read it, so revoke it now"
        if token.id in self.known.sets:
            return f"is managed by set {self.known.sets[token.id]}"
        if token.name in seen:
            return "has the name of an entry above"
        if not _fits("name", token.name) or not _fits("name", live_name):
            return "has a name that no entry can have"
        return "" if _fits("adopt", token.id) else "has an id that no entry can have"

    def _doubt(self, token: LiveToken) -> str:
        """What a person should know before an entry relies on it; the server cannot tell."""
        if not self.known.may_be_lost(token, self.principal):
            return ""
        return (
            "   # made by us, never used, in no sink: if a run died over it, nobody has its secret"
        )

    def _rest(self, token: LiveToken) -> Iterator[str]:
        days = min(max(token.days, 1), MAX_DAYS)
        yield f"    expires_in: {days}"
        yield f"    adopt: {token.id}{self._doubt(token)}"
        spec = TokenSpec(
            self.keys.set, token.name, token.user, token.name, ExpiresIn(days), (), _HERE
        )
        due = renews_at(spec, token, self.now)
        if due is not None and due <= self.now + DAY:
            yield "    renew: false   # its renewal is due: without this line, the next apply makes it anew"
        yield from self.keys.of(token)
