"""Writing records to KV v2: value and receipt in one data map, under check-and-set.

What becomes of old versions: KV v2 keeps what it replaces, and whoever may read a key may read its older
versions. So whatever we replace or remove is destroyed, too, but only versions that bear a receipt of
ours: a value of somebody else that `adopt` wrote over stays where its owner can bring it back. What
was deleted below our secret can no longer be read, only be brought back: `destroy` takes it, too.

- A version is destroyed by its number, so a newer one that somebody wrote meanwhile is never touched:
  this makes removal conditional, which KV v2's own delete (of whatever is newest) is not.
- The metadata of a removed key stays, an empty shell without a secret. To delete it would take every
  version along, also one that was written a moment before, and there is no `cas` for that.
- `delete_version_after` is no way: it would take the living secret, too, so a preflight refuses it wherever
  it can be seen. `max_versions` cannot be lower on a key than on its mount, and keeps the newest old one
  in any case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.errors import SinkError, SinkRefused, SinkUnsure
from reconciler.http import Answer, Json
from reconciler.sinks.conditions import nothing_written, partly_written, plain
from reconciler.sinks.records import Changed, Record, Scan
from reconciler.sinks.rest import Rest
from reconciler.sinks.vault.kv import KEYS, REGISTRATIONS, TEXT, KvReader
from reconciler.sinks.vault.login import Session

IMPOSSIBLE: Final = 2**31 - 1
"""No key has so many versions, so a write under this `cas` is refused; rights are asked about before."""
_MISMATCH: Final = "check-and-set parameter did not match"
_NO_VERSION: Final = "no version number provided"
_TRIES: Final = 5
_POLICY: Final = "give it to the policy of the token that this sink signs in with"


@dataclass(frozen=True, slots=True)
class VaultStore:
    """One folder of a mount.

    Attributes:
        writes: Can POST below the mount, and nowhere else.
        rights: Can POST to `sys/capabilities-self`, and nowhere else.
        removal: `destroy`, or `delete`: what old versions are subject to.
    """

    reader: KvReader
    writes: Rest
    rights: Rest
    session: Session
    removal: str

    @property
    def name(self) -> str:
        shelf = self.reader.shelf
        return f"vault {shelf.mount}/{shelf.folder}"

    @property
    def power(self) -> Power:
        return Power.CONDITIONAL

    @property
    def keys(self) -> KeyRule:
        return KEYS

    def scan(self, keys: Collection[str]) -> Scan:
        return self.reader.scan(keys)

    def fetch(self, key: str) -> Record:
        return self.reader.record(key)

    def probe(self, key: str) -> None:
        """Neither of the two probes can take effect, so whatever becomes of them is a refusal."""
        with nothing_written(), suppress(Changed):
            self.reader.mount.prove()
            if not self._rights_are_known(key):
                self._probe_removal(key)
            self.reader.mount.check_lasts(f"{self.reader.shelf.folder}/{key}")
            self._write(key, {}, IMPOSSIBLE)
            raise SinkRefused(f"{self.name} takes writes that it must refuse", hint="is it Vault?")

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        shelf = self.reader.shelf
        held = self._unchanged(key, stamp)
        data = dict(held or {})
        if secret is not None:
            data[shelf.value] = plain(secret)
        version = self._write(key, {**data, shelf.receipt: receipt}, int(stamp))
        # What is stored is stored: the next write or removal takes what may be left now.
        with suppress(SinkError):
            self._clear_below(key, version)

    def save_registration(self, set_name: SetName, text: str) -> None:
        """Over any other of its set; with `cas`, since a mount may ask for it on every write."""
        key = f"{REGISTRATIONS}/{set_name}"
        for left in reversed(range(_TRIES)):
            try:
                version, data = self._held(key)
                if data and TEXT not in data:
                    where = f"{self.name}/{key} is no registration"
                    raise SinkRefused(where, hint="move or mend it by hand")
                self._write(key, {**(data or {}), TEXT: text}, version)
            except Changed:
                if not left:
                    raise
            else:
                return

    def erase(self, key: str, stamp: str) -> None:
        """The receipt goes last: whatever is cut off before, the next removal finds and finishes.

        Where people keep fields of their own, a version without the secret bears it meanwhile.
        """
        shelf, version = self.reader.shelf, int(stamp)
        data = self._unchanged(key, stamp) or {}
        with nothing_written():
            doomed = self._ours_below(key, version)
        others = shelf.others(data)
        if not others:
            self._remove(key, [*doomed, version])
            return
        if shelf.value in data:
            doomed.append(version)
            version = self._write(key, {**others, shelf.receipt: data.get(shelf.receipt)}, version)
        with partly_written("the receipt may still be there, and so may older versions"):
            if doomed:
                self._remove(key, doomed)
            self._write(key, others, version)

    def _unchanged(self, key: str, stamp: str) -> Mapping[str, object] | None:
        version, data = self._held(key)
        if str(version) != stamp:
            raise Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")
        return data

    def _held(self, key: str) -> tuple[int, Mapping[str, object] | None]:
        """What is there now. Nothing was written yet, so a failed look is a refusal."""
        with nothing_written():
            kept = self.reader.at(key)
        return kept.version, kept.data

    def _write(self, key: str, data: Mapping[str, object], cas: int) -> int:
        """The number of the new version."""
        body = {"options": {"cas": cas}, "data": data}
        answer = self._send(self.reader.shelf.path("data", key), body)
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"data": {"version": int(version)}})):
                return version
            case Answer(status=HTTPStatus.OK | HTTPStatus.NO_CONTENT):
                raise SinkUnsure(f"{self.name} took a write and did not say which version it made")
            case Answer(status=HTTPStatus.BAD_REQUEST) if _MISMATCH in (answer.message or ""):
                raise Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")
            case _:
                raise self.writes.refused(answer)

    def _clear_below(self, key: str, version: int) -> None:
        """Remove every older version that may hold a secret of ours."""
        if ours := self._ours_below(key, version):
            self._remove(key, ours)

    def _ours_below(self, key: str, version: int) -> list[int]:
        old = [each for each in self.reader.versions(key) if each < version]
        return [n for n in old if self._is_doomed(self.reader.at(key, n).data)]

    def _is_doomed(self, data: Mapping[str, object] | None) -> bool:
        if data is None:
            return self.removal == "destroy"
        return self.reader.shelf.found(data).receipt is not None

    def _remove(self, key: str, versions: list[int]) -> None:
        answer = self._send(self.reader.shelf.path(self.removal, key), {"versions": versions})
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            raise self.writes.refused(answer)

    def _rights_are_known(self, key: str) -> bool:
        """Whether the server says what we may do here. Raises SinkRefused if that is not enough."""
        shelf = self.reader.shelf
        needed = {
            f"{shelf.mount}/{shelf.path('data', key)}": {"create", "read", "update"},
            f"{shelf.mount}/{shelf.path('metadata', key)}": {"read"},
            f"{shelf.mount}/{shelf.path(self.removal, key)}": {"update"},
        }
        rights = replace(self.rights, auth=self.session.header())
        try:
            answer = rights.send("POST", "", {"paths": list(needed)})
        except SinkError:
            return False  # a policy may deny even this question
        match answer:
            case Answer(status=HTTPStatus.OK, content=Json({"data": dict(told)})):
                pass
            case _:
                return False
        for path, wanted in needed.items():
            missing = wanted - set(told.get(path, ()))
            if missing and "root" not in told.get(path, ()):
                may_not = " and ".join(sorted(missing))
                raise SinkRefused(f"the token may not {may_not} {path}", hint=_POLICY)
        return all(path in told for path in needed)

    def _probe_removal(self, key: str) -> None:
        """A removal of no version at all; rights are asked about before versions are counted."""
        answer = self._send(self.reader.shelf.path(self.removal, key), {"versions": []})
        if _NO_VERSION not in (answer.message or "").lower():
            raise self.writes.refused(answer)

    def _send(self, path: str, body: Mapping[str, object]) -> Answer:
        return replace(self.writes, auth=self.session.header()).send("POST", path, body)
