"""Token files to one TokenSet, with every default filled in, or everything that is wrong with them.

Problems of all files and all kinds come in one run (aesthetics.md §2, habit 19): a value that the
schema refuses is left out of the later checks, everything beside it is still checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from reconciler.core.keys import KeyRule
from reconciler.core.receipts import Place, SetName, SinkName
from reconciler.core.spec import Retire, TokenSet, TokenSpec, Tombstone
from reconciler.core.tokens import TokenId
from reconciler.errors import InputError
from reconciler.source.config import Config
from reconciler.source.document import Document, Kind, load_document
from reconciler.source.files import token_files
from reconciler.source.identity import identity_problems, misplaced_reason
from reconciler.source.lifetimes import (
    DEFAULT_OVERLAP,
    both_lifetimes,
    late_run,
    lifetime,
    lifetime_problems,
    renew_before,
)
from reconciler.source.nodes import Map
from reconciler.source.places import PlaceWritten, clashes, places, too_many
from reconciler.source.policies import disagreements, idle_guards, limits, unmanaged_policy
from reconciler.source.problems import Problem, Severity, in_order, quoted
from reconciler.source.written import Written, entries, set_name

_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Loaded:
    """A set, and what is odd about its files without being wrong."""

    token_set: TokenSet
    warnings: tuple[Problem, ...] = ()


def load_set(
    paths: Sequence[Path], config: Config, keys: Mapping[SinkName, KeyRule], today: date
) -> Loaded:
    """The one set in these files and folders.

    Args:
        paths: Files, and folders whose visible *.yaml and *.yml files are taken.
        config: For `live_name` and the limits.
        keys: What the keys of each configured sink look like.
        today: The day (UTC) that `expires_on` is compared with.

    Raises:
        InputError: with the problems of all files, and their warnings.
    """
    files, problems = token_files(paths)
    documents: list[Document] = []
    for file in files:
        document, found = load_document(file, Kind.TOKEN_SET)
        problems += found
        documents += [document] if document else []
    draft = _Draft(documents, config, keys)
    problems += draft.problems(today)
    ordered = in_order(problems)
    if any(problem.severity is Severity.ERROR for problem in ordered):
        raise InputError(ordered)
    return Loaded(draft.token_set(), ordered)


class _Draft:
    """All entries of all files, with the places they ask for."""

    def __init__(
        self, documents: Sequence[Document], config: Config, keys: Mapping[SinkName, KeyRule]
    ) -> None:
        self._documents = documents
        self._config = config
        self._name = _known_name(documents)
        self._entries = [entry for document in documents for entry in entries(document)]
        self._specs = [entry for entry in self._entries if not entry.is_tombstone]
        self._excess = list(too_many(self._specs))
        counted = [] if self._excess else self._specs
        self._places = {id(entry): list(places(entry, self._name, keys)) for entry in counted}

    def problems(self, today: date) -> Iterator[Problem]:
        """Everything that the schema cannot see."""
        for document in self._documents:
            yield from _layer_problems(document)
            yield from idle_guards(document, self._config.limits)
        yield from disagreements(self._documents)
        yield from identity_problems(self._entries)
        for entry in self._entries:
            yield from misplaced_reason(entry)
            yield from _long_live_name(entry, self._live_name(entry))
        for entry in self._specs:
            yield from both_lifetimes(entry.document.source, entry.own)
            yield from lifetime_problems(entry, today)
            yield from late_run(entry, self._config.schedule)
        yield from self._excess
        found = [place for wanted in self._places.values() for place in wanted]
        yield from (place for place in found if isinstance(place, Problem))
        yield from clashes([place for place in found if isinstance(place, PlaceWritten)])

    def token_set(self) -> TokenSet:
        """The set; only once there are no problems."""
        return TokenSet(
            name=self._name,
            specs=tuple(map(self._spec, self._specs)),
            tombstones=tuple(
                self._tombstone(entry) for entry in self._entries if entry.is_tombstone
            ),
            unmanaged=unmanaged_policy(self._documents),
            limits=limits(self._documents, self._config.limits),
            schedule=self._config.schedule,
        )

    def _spec(self, entry: Written) -> TokenSpec:
        previously = entry.value("previously", ())
        return TokenSpec(
            set=self._name,
            name=entry.name,
            user=entry.user,
            live_name=self._live_name(entry),
            lifetime=lifetime(entry),
            places=self._places_of(entry),
            where=entry.where,
            renew_before=renew_before(entry),
            overlap_days=entry.integer("overlap", DEFAULT_OVERLAP),
            retire=Retire(str(entry.value("retire", Retire.WHEN_UNUSED))),
            protect=entry.value("protect", otherwise=False) is True,
            rotation=entry.integer("rotation", 0),
            previously=tuple(previously) if isinstance(previously, list) else (),
            adopt=_adopt(entry.value("adopt", otherwise=False)),
            renew=entry.value("renew", otherwise=True) is True,
        )

    def _tombstone(self, entry: Written) -> Tombstone:
        reason = str(entry.value("reason", ""))
        live_name = self._live_name(entry)
        return Tombstone(self._name, entry.name, entry.user, live_name, reason, entry.where)

    def _places_of(self, entry: Written) -> tuple[Place, ...]:
        found = self._places[id(entry)]
        return tuple(wanted.place for wanted in found if isinstance(wanted, PlaceWritten))

    def _live_name(self, entry: Written) -> str:
        return self._config.live_name_of(self._name, entry.name)


def _known_name(documents: Sequence[Document]) -> SetName:
    """The name of the set, which default keys start with; a stand-in if it is refused or missing."""
    node = documents[0].root.get("name") if documents else None
    if node is not None and documents[0].sound(node):
        return set_name(documents[0])
    return SetName("set")


def _layer_problems(document: Document) -> Iterator[Problem]:
    defaults = document.root.get("defaults")
    if isinstance(defaults, Map):
        yield from both_lifetimes(document.source, defaults)


def _long_live_name(entry: Written, live_name: str) -> Iterator[Problem]:
    if len(live_name) > _LONGEST_NAME >= len(entry.name):
        message = (
            f"on the server this would be named {quoted(live_name)}, {len(live_name)} characters"
        )
        yield entry.problem(
            "NB212", entry.name_node, message, "use a shorter name, 255 at most in all"
        )


def _adopt(value: object) -> TokenId | bool:
    return TokenId(value) if isinstance(value, str) else value is True
