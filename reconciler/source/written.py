"""A token as it is written: its own entry over the defaults of its file (DESIGN §3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.core.people import CURRENT
from reconciler.core.receipts import SetName, SinkName
from reconciler.core.spec import Location
from reconciler.core.tokens import UserId
from reconciler.source.document import Document
from reconciler.source.nodes import Map, Node, Scalar, Seq, plain
from reconciler.source.problems import START, Problem, Severity, Span

LOCAL: Final = SinkName("local")
_NOTHING: Final = Map({}, START)
_RIVALS: Final = {"expires_in": "expires_on", "expires_on": "expires_in"}


@dataclass(frozen=True, slots=True)
class Written:
    """One entry that has a name.

    Attributes:
        own: What stands in the entry.
        inherited: What stands in the file's defaults.
    """

    document: Document
    own: Map
    inherited: Map
    name: str
    name_node: Node

    @property
    def where(self) -> Location:
        return self.document.source.at(self.own)

    @property
    def user(self) -> UserId:
        """The owner as written, not resolved."""
        node = self.find("user")
        return (
            UserId(node.value)
            if isinstance(node, Scalar) and isinstance(node.value, str)
            else CURRENT
        )

    @property
    def is_tombstone(self) -> bool:
        return self.value("state", "present") == "absent"

    def find(self, field: str) -> Node | None:
        """Where the value stands that counts; a lifetime of its own beats one of either kind."""
        own = self.own.pairs
        if field in own:
            return own[field].value
        if _RIVALS.get(field) in own:
            return None
        return self.inherited.get(field)

    def sound(self, *fields: str) -> bool:
        """Whether nothing is known to be wrong with what these fields say."""
        nodes = map(self.find, fields)
        return all(node is None or self.document.sound(node) for node in nodes)

    def value(self, field: str, otherwise: object) -> object:
        """What the field says; `otherwise` if it says nothing, or nothing usable."""
        node = self.find(field)
        return plain(node) if node is not None and self.document.sound(node) else otherwise

    def integer(self, field: str, otherwise: int) -> int:
        value = self.value(field, otherwise)
        return value if isinstance(value, int) else otherwise

    def problem(
        self,
        code: str,
        node: Node,
        message: str,
        fix: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """A problem at one of this entry's values."""
        return self.document.source.problem(code, node.span, message, fix, severity)


def entries(document: Document) -> Iterator[Written]:
    """Every entry of a file that has a usable name."""
    tokens, defaults = document.root.get("tokens"), document.root.get("defaults")
    inherited = defaults if isinstance(defaults, Map) else _NOTHING
    for own in tokens.items if isinstance(tokens, Seq) else ():
        node = own.get("name") if isinstance(own, Map) else None
        if (
            isinstance(own, Map)
            and isinstance(node, Scalar)
            and isinstance(node.value, str)
            and node.value
        ):
            yield Written(document, own, inherited, node.value, node)


def set_name(document: Document) -> SetName:
    """The name of the set; whatever stands there, even if it is refused elsewhere."""
    node = document.root.get("name")
    return SetName(node.text if isinstance(node, Scalar) else "")


def set_name_span(document: Document) -> Span:
    node = document.root.get("name")
    return node.span if node is not None else document.root.span
