"""Records in encrypted files: the same for every cipher, and for every place that has files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Power
from reconciler.core.receipts import SetName
from reconciler.core.secret import Secret
from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread
from reconciler.program import NotStarted, Program
from reconciler.sinks.conditions import nothing_written, plain
from reconciler.sinks.receipt_text import Garbled, from_text, receipt_from_json
from reconciler.sinks.records import NOTHING, Changed, Record, Scan, listed
from reconciler.sinks.sealed.cipher import Cipher, found_in, readers_of, with_receipt
from reconciler.sinks.sealed.files import Change, Content, Files

_SAMPLE: Final = f"nbp_{'0' * 36}"
"""No token; what a program does to it, it will do to one."""


@dataclass(frozen=True, slots=True)
class SealedStore:
    """One place full of files of one cipher."""

    files: Files
    cipher: Cipher
    keys: KeyRule

    @property
    def name(self) -> str:
        return self.files.name

    @property
    def power(self) -> Power:
        return Power.CONDITIONAL

    def scan(self, keys: Collection[str]) -> Scan:
        records: dict[str, Record | Unread] = {}
        registrations: dict[SetName, str] = {}
        readers, others = self.cipher.readers, list[str]()
        for file, content in self.files.all((self.cipher.suffix, self._ending)).items():
            if file.endswith(self._ending):
                registrations |= self._registration(file, content)
                continue
            key = file.removesuffix(self.cipher.suffix)
            record = content if isinstance(content, Unread) else self._record(content)
            ours = isinstance(record, Unread) or record.found.receipt is not None
            if key in keys or (ours and self.keys.accepts(key)):
                records[key] = record
                if not isinstance(content, Unread) and not self.cipher.is_for(
                    readers, _text(content)
                ):
                    others.append(key)
        return Scan(records, registrations, _remarks(others))

    def fetch(self, key: str) -> Record:
        return self._record(self.files.read(self._file(key)))

    def probe(self, key: str) -> None:
        file = self._file(key)
        self.files.probe(file)
        self.cipher.encrypt(_SAMPLE, self.files.path(file))

    def save(self, key: str, receipt: str, secret: Secret | None, stamp: str) -> None:
        file = self._file(key)
        fresh = None if secret is None else self._encrypted(file, plain(secret))

        def change(content: Content) -> Content:
            self._check(key, content, stamp)
            text = _text(content) if fresh is None else fresh
            readers = readers_of(self.cipher, text) if fresh is None else self.cipher.readers
            changed = with_receipt(self.cipher, text, receipt, readers)
            return changed.encode(errors="surrogateescape")

        self._write(file, change, receipt)

    def save_registration(self, set_name: SetName, text: str) -> None:
        self.files.write(f".{set_name}{self._ending}", lambda _: f"{text}\n".encode(), "")

    def erase(self, key: str, stamp: str) -> None:
        file = self._file(key)
        with nothing_written():
            receipt = self.fetch(key).found.receipt

        def change(content: Content) -> Content:
            self._check(key, content, stamp)
            return None

        self._write(file, change, receipt or "")

    def _write(self, file: str, change: Change, receipt: str) -> None:
        try:
            self.files.write(file, change, _token_of(receipt))
        except Garbled as error:
            raise SinkRefused(f"cannot write {self.files.path(file)}: {error}") from None

    def _check(self, key: str, content: Content, stamp: str) -> None:
        if stamp != ("" if content is None else _stamp(content)):
            raise Changed(f"{self.name}:{key} changed meanwhile", hint="plan again")

    def _file(self, key: str) -> str:
        return f"{key}{self.cipher.suffix}"

    @property
    def _ending(self) -> str:
        """Of registrations; another one for each cipher, so that two may share a folder."""
        return f".registration.{self.cipher.suffix.split('.')[1]}.json"

    def _registration(self, file: str, content: bytes | Unread) -> dict[SetName, str]:
        if "/" in file:
            return {}
        if isinstance(content, Unread):
            raise SinkUnread(content.why)
        return {SetName(file.removesuffix(self._ending).removeprefix(".")): _text(content)}

    def _record(self, content: Content) -> Record:
        if content is None:
            return NOTHING
        return Record(found_in(self.cipher, _text(content)), _stamp(content))

    def _encrypted(self, file: str, token: str) -> str:
        text = self.cipher.encrypt(token, self.files.path(file))
        if token in text or not self.cipher.sealed(text):
            raise SinkRefused(
                f"{self.files.path(file)} would hold the token in clear; nothing was written",
                hint="mend the program or its rules, then look with `netbird-tokens doctor`",
            )
        return text


def output(program: Program, given: str, secret: str, *words: str) -> str:
    """What a program makes of this text, of which `secret` may never be shown. Raises SinkRefused."""
    name = program.argv[0]
    try:
        ended = program.run(words, given.encode())
    except NotStarted as error:
        hint = "install it, or name it in the config with `program`"
        raise SinkRefused(error.message, hint=hint) from None
    if ended.status != 0:
        raise SinkRefused(
            f"{name} did not encrypt: {ended.told(secret)}",
            hint="mend the recipients in the config, then look with `netbird-tokens doctor`",
        )
    return ended.out.decode(errors="replace")


def _remarks(others: list[str]) -> tuple[str, ...]:
    """A word about keys whose files are for other readers."""
    if not others:
        return ()
    return (
        f"until its renewal, what is at {listed(others)} is for other readers than the config names;"
        " `netbird-tokens rotate NAME` makes a new one now",
    )


def _token_of(receipt: str) -> str:
    """For names and messages; of a receipt that cannot be read, none."""
    try:
        return receipt_from_json(from_text(receipt)).token.id
    except Garbled:
        return ""


def _text(content: Content) -> str:
    return (content or b"").decode(errors="surrogateescape")


def _stamp(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]
