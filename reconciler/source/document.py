"""One file from path to checked tree: read, parse, right kind, schema; every problem is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from reconciler.source.guess import closest
from reconciler.source.nodes import Map, Node, Scalar
from reconciler.source.problems import Problem, quoted
from reconciler.source.text import Source, Unreadable, pasted_tokens, read_source


class Kind(StrEnum):
    """The kinds of file that people write."""

    TOKEN_SET = "TokenSet"  # noqa: S105 - the word in the file, not a secret
    CONFIG = "Config"


SCHEMAS: Final = {Kind.TOKEN_SET: "tokenset.v1", Kind.CONFIG: "config.v1"}


@dataclass(frozen=True, slots=True)
class Document:
    """A file of the right kind.

    Attributes:
        flawed: Ids of the nodes that the schema found something wrong with or in.
    """

    source: Source
    root: Map
    flawed: frozenset[int]

    def sound(self, node: Node) -> bool:
        """Whether the schema has nothing against this value."""
        return id(node) not in self.flawed


def load_document(path: Path, kind: Kind) -> tuple[Document | None, list[Problem]]:
    """A file and all its problems; no document if nothing can be made of it."""
    try:
        source = read_source(path)
    except Unreadable as unreadable:
        return None, [unreadable.problem]
    problems = pasted_tokens(source)
    # `version` and `--help` must import neither YAML nor JSON Schema (DESIGN §9), so they wait until here
    from reconciler.source.schema import schema_problems  # noqa: PLC0415 - see above
    from reconciler.source.strict_yaml import parse  # noqa: PLC0415 - see above

    try:
        root, found = parse(source)
    except Unreadable as unreadable:
        return None, [*problems, unreadable.problem]
    problems += found
    misfit = _misfit(source, root, kind)
    if misfit or not isinstance(root, Map):
        return None, problems + [problem for problem in (misfit,) if problem]
    against, flawed = schema_problems(source, root, SCHEMAS[kind])
    return Document(source, root, flawed), problems + against


def _misfit(source: Source, root: Node, wanted: Kind) -> Problem | None:
    """Why the schema of this kind should not be held against the file at all."""
    if isinstance(root, Scalar) and root.value is None:
        return source.problem(
            "NB111", root.span, "the file is empty", "write a set, or remove the file"
        )
    if not isinstance(root, Map):
        return source.problem(
            "NB113",
            root.span,
            "the file must be a mapping (`key: value` lines)",
            f"start with kind: {wanted}",
        )
    kind = root.get("kind")
    if not isinstance(kind, Scalar) or kind.text == wanted:
        return None
    likely = closest(kind.text, Kind)
    message = f'"kind" must be {wanted}, not {quoted(kind.text)}'
    fix = f"write kind: {wanted}"
    if kind.text == Kind.CONFIG:
        fix = "keep the config outside the folder of the token files, and name it with --config"
    elif kind.text == Kind.TOKEN_SET:
        fix = "name the config with --config, and the token file without a flag"
    elif likely:
        fix = f"write kind: {likely}"
    return source.problem("NB113", kind.span, message, fix)
