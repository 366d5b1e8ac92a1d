"""What the emulated server remembers: users, tokens and audit events, in SQLite.

In memory by default; in a file, the state outlives the process and several processes can share it.
Times are nanoseconds since 1970, UTC. Secrets are kept as hashes only.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
    role TEXT NOT NULL, is_service_user INTEGER NOT NULL, created_at INTEGER NOT NULL,
    is_blocked INTEGER NOT NULL, is_pending INTEGER NOT NULL, groups TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL,
    created_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, last_used INTEGER);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, at INTEGER NOT NULL,
    code TEXT NOT NULL, initiator TEXT NOT NULL, target TEXT NOT NULL, meta TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS serial (only INTEGER PRIMARY KEY CHECK (only = 1), last INTEGER);
CREATE INDEX IF NOT EXISTS users_by_account ON users (account);
CREATE INDEX IF NOT EXISTS tokens_by_user ON tokens (user);
CREATE INDEX IF NOT EXISTS tokens_by_hash ON tokens (hash);
CREATE INDEX IF NOT EXISTS events_by_time ON events (account, at);
INSERT OR IGNORE INTO serial VALUES (1, 0);
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A user, human or service user."""

    id: str
    account: str
    name: str
    email: str
    role: str
    is_service_user: bool
    created_at: int
    is_blocked: bool = False
    is_pending: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pat:
    """A token; `expires_at` is None only in rows that no API call can make (netbird-api.md §1.1)."""

    id: str
    user: str
    name: str
    hash: str
    created_by: str
    created_at: int
    expires_at: int | None
    last_used: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log."""

    id: int
    account: str
    at: int
    code: str
    initiator: str
    target: str
    meta: dict[str, str]


class Store:
    """All statements in one place. Use it inside `transaction` only."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        weakref.finalize(self, self._db.close)
        self._db.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing all the same
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, alone among all threads and processes."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def next_serial(self) -> int:
        """1, 2, 3, …: never the same twice in the life of this store."""
        self._db.execute("UPDATE serial SET last = last + 1")
        (last,) = self._db.execute("SELECT last FROM serial").fetchone()
        return int(last)

    def put_user(self, person: Person) -> None:
        """Add a user, or replace the one with this id."""
        row = (*astuple(person)[:-1], json.dumps(person.groups))
        self._db.execute("INSERT OR REPLACE INTO users VALUES (?,?,?,?,?,?,?,?,?,?)", row)

    def user(self, user: str) -> Person | None:
        row = self._db.execute("SELECT * FROM users WHERE id = ?", (user,)).fetchone()
        return None if row is None else _person(row)

    def users(self, account: str) -> list[Person]:
        rows = self._db.execute("SELECT * FROM users WHERE account = ?", (account,))
        return [_person(row) for row in rows]

    def delete_user(self, user: str) -> None:
        """Remove a user and all their tokens."""
        self._db.execute("DELETE FROM tokens WHERE user = ?", (user,))
        self._db.execute("DELETE FROM users WHERE id = ?", (user,))

    def add_token(self, pat: Pat) -> None:
        self._db.execute("INSERT INTO tokens VALUES (?,?,?,?,?,?,?,?)", astuple(pat))

    def token(self, token: str) -> Pat | None:
        row = self._db.execute("SELECT * FROM tokens WHERE id = ?", (token,)).fetchone()
        return None if row is None else Pat(*row)

    def token_by_hash(self, digest: str) -> Pat | None:
        row = self._db.execute("SELECT * FROM tokens WHERE hash = ?", (digest,)).fetchone()
        return None if row is None else Pat(*row)

    def tokens(self, user: str) -> list[Pat]:
        """In order of creation, as SQLite gives them in practice."""
        rows = self._db.execute("SELECT * FROM tokens WHERE user = ? ORDER BY rowid", (user,))
        return [Pat(*row) for row in rows]

    def mark_used(self, token: str, at: int) -> None:
        self._db.execute("UPDATE tokens SET last_used = ? WHERE id = ?", (at, token))

    def delete_token(self, token: str) -> None:
        self._db.execute("DELETE FROM tokens WHERE id = ?", (token,))

    def add_event(self, event: Event) -> None:
        """Append to the log; the event's own id is ignored, the store numbers them."""
        row = (*astuple(event)[1:6], json.dumps(event.meta))
        self._db.execute("INSERT INTO events VALUES (NULL,?,?,?,?,?,?)", row)

    def events(self, account: str, limit: int) -> list[Event]:
        """The newest first."""
        rows = self._db.execute(
            "SELECT * FROM events WHERE account = ? ORDER BY at DESC, id DESC LIMIT ?",
            (account, limit),
        )
        return [_event(row) for row in rows]


_Row = Mapping[str, Any]  # sqlite3.Row


def _person(row: _Row) -> Person:
    flags = {name: bool(row[name]) for name in ("is_service_user", "is_blocked", "is_pending")}
    return Person(**{**dict(row), **flags, "groups": tuple(json.loads(row["groups"]))})


def _event(row: _Row) -> Event:
    return Event(**{**dict(row), "meta": json.loads(row["meta"])})
