"""A mount of KV v2 as it must be, and every look below it. Nothing here has a client that could write."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Final

from reconciler.errors import SinkRefused, SinkUnread
from reconciler.http import Answer, Json
from reconciler.sinks.rest import Denied, Rest
from reconciler.sinks.vault.login import Session

_ENDS: Final = re.compile(r"(?!0s$)[0-9]")
"""A duration of Go's that is above nothing; one below turns the setting off."""
_FORGETS: Final = "deletes each secret {} after it was written (`delete_version_after`)"


class Mount:
    """One mount. Its client can only GET; what else it sends is the one login of its session."""

    def __init__(self, name: str, rest: Rest, session: Session) -> None:
        self.name = name
        self._rest = rest
        self._session = session
        self._one_at_a_time = Lock()
        self._is_proved = False

    def prove(self) -> None:
        """Ask once whether the mount is there, and is KV of version 2.

        Raises:
            SinkUnread: It is not, or we may not see it.
        """
        with self._one_at_a_time:
            if not self._is_proved:
                self._prove()
                self._is_proved = True

    def _prove(self) -> None:
        mount = self.name
        answer = self.look(f"sys/internal/ui/mounts/{mount}", below_mount=False)
        match answer.content:
            case Json({"data": {"type": str(kind), "path": str(path), **rest}}):
                pass
            case _:
                raise self.strange(answer)
        options = rest.get("options")
        version = options.get("version") if isinstance(options, dict) else None
        if path.strip("/") != mount:
            raise SinkUnread(
                f"{mount} is no mount of its own but part of {path}",
                hint=f"write `mount: {path.strip('/')}` and put the rest into `path`",
            )
        if kind not in ("kv", "generic"):
            raise SinkUnread(f"the mount {mount} is of type {kind}, not kv", hint="name another")
        if str(version) != "2":
            raise SinkUnread(
                f"the mount {mount} is KV version 1, which can neither compare before it writes nor"
                " keep what it replaces",
                hint=f"`vault kv enable-versioning {mount}` makes it version 2; or name another mount",
            )

    def check_lasts(self, path: str) -> None:
        """Whether what is stored at a path below `data/` stays, as far as we may see that.

        Raises:
            SinkUnread: The server deletes it by itself after a while.
        """
        if self._ends:
            raise SinkUnread(
                f"the mount {self.name} {_FORGETS.format(self._ends)}",
                hint=f"`vault write {self.name}/config delete_version_after=0s` turns it off",
            )
        if after := self._ends_after(f"metadata/{path}"):
            turned_off = f"-mount={self.name} -delete-version-after=0s {path}"
            raise SinkUnread(
                f"the key {path} {_FORGETS.format(after)}",
                hint=f"`vault kv metadata put {turned_off}` turns it off",
            )

    @cached_property
    def _ends(self) -> str:
        return self._ends_after("config")

    def _ends_after(self, path: str) -> str:
        """The `delete_version_after` of a mount or a key; empty without one, or if we may not look."""
        try:
            content = self.look(path).content
        except Denied:
            return ""
        match content:
            case Json({"data": {"delete_version_after": str(after)}}) if _ENDS.match(after):
                return after
            case _:
                return ""

    def look(self, path: str, *, below_mount: bool = True) -> Answer:
        try:
            auth = self._session.header()
        except SinkRefused as error:
            raise SinkUnread(error.message, hint=error.hint) from None
        whole = f"{self.name}/{path}" if below_mount else path
        return replace(self._rest, auth=auth).look(whole)

    def strange(self, answer: Answer) -> SinkUnread:
        error = self._rest.unread(answer)
        return SinkUnread(error.message, hint="check the address and the namespace in the config")
