"""How the server says no (netbird-api.md §3). Its messages are lower-cased whole, ids included."""

from __future__ import annotations

from typing import Final


class Refusal(Exception):
    """A JSON error answer; `message` goes out as it is."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Panic(Exception):
    """The real server's handler crashes here: the connection closes without an answer."""


NOT_JSON: Final = "couldn't parse JSON request"


def refused(code: int, message: str) -> Refusal:
    """A refusal that went through the server's error writer, which lower-cases it."""
    return Refusal(code, message.lower())


def user_not_found(user: str) -> Refusal:
    return refused(404, f"user: {user} not found")


def pat_not_found(token: str) -> Refusal:
    return refused(404, f"pat: {token} not found")


def permission_denied() -> Refusal:
    return refused(403, "permission denied")
