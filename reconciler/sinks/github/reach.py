"""Who may read a secret: only an organisation's has a say in that.

GitHub wants to be told with every write, and forgets the selected repositories of a secret when a write
does not name them. So what people have chosen is read before, and sent along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from reconciler.errors import SinkUnread
from reconciler.http import Answer, Json
from reconciler.sinks.github.reader import GithubReader, Kept
from reconciler.sinks.rest import Rest


@dataclass(frozen=True, slots=True)
class Reach:
    """What to say of it.

    Attributes:
        owned: Can GET the repositories of an organisation; None: the secrets are not an organisation's.
        visibility: Of secrets that are new.
        repositories: Names of those that may read what is new and `selected`.
    """

    owned: Rest | None = None
    visibility: str = "selected"
    repositories: Sequence[str] = ()

    @property
    def of_variables(self) -> dict[str, object]:
        """No job needs to see a receipt."""
        nobody: dict[str, object] = {"visibility": "selected", "selected_repository_ids": []}
        return {} if self.owned is None else nobody

    def of(self, reader: GithubReader, key: str, kept: Kept | None) -> dict[str, object]:
        """What to send with a secret. Raises SinkUnread if that cannot be found out."""
        if self.owned is None:
            return {}
        visibility = self.visibility if kept is None else kept.visibility
        if visibility != "selected":
            return {"visibility": visibility}
        new = kept is None
        ids = [_id(self.owned, n) for n in self.repositories] if new else reader.selected(key)
        return {"visibility": visibility, "selected_repository_ids": ids}


def _id(owned: Rest, name: str) -> int:
    answer = owned.look(name)
    match answer:
        case Answer(status=HTTPStatus.OK, content=Json({"id": int(number)})):
            return number
        case _:
            raise SinkUnread(
                f"{owned.name} has no repository {name} that the token may see",
                hint="mend `repositories` in the config, or what the token may see",
            )
