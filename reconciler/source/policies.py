"""What a set says about itself, once: its name, its guards, and what to do about unmanaged tokens.

Several files of one folder are one set, so they may not contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.core.spec import Limits, UnmanagedAction, UnmanagedPolicy
from reconciler.core.world import BY_HAND
from reconciler.source.document import Document
from reconciler.source.nodes import Map, Node, Scalar, plain
from reconciler.source.problems import Problem, Severity, quoted
from reconciler.source.written import set_name, set_name_span


def disagreements(documents: Sequence[Document]) -> Iterator[Problem]:
    """A name that no set may have, and every file that contradicts the first one that says anything."""
    for document in documents[:1]:
        if set_name(document) == BY_HAND:
            yield document.source.problem(
                "NB107",
                set_name_span(document),
                f'"name" must not be {BY_HAND}: tokens of `create --sink` are in sinks under this name',
                "write another name",
            )
    for document in documents[1:]:
        if set_name(document) != set_name(documents[0]):
            yield document.source.problem(
                "NB209",
                set_name_span(document),
                f"this file is of the set {quoted(set_name(document))},"
                f" but {documents[0].source.name} is of {quoted(set_name(documents[0]))}",
                "keep the files of each set in a folder of their own",
            )
    for field in ("unmanaged", "guards"):
        yield from _contradictions(documents, field)


def unmanaged_policy(documents: Sequence[Document]) -> UnmanagedPolicy:
    """What the set says about tokens that are not ours."""
    written = _said(documents, "unmanaged")
    return UnmanagedPolicy(
        UnmanagedAction(written.get("action", UnmanagedAction.WARN)),
        tuple(written.get("ignore", ())),
    )


def limits(documents: Sequence[Document], configured: Limits) -> Limits:
    """The config's limits, tightened by those of the set."""
    written = _said(documents, "guards").get("max_revokes", {})
    own = Limits(written.get("count", configured.count), written.get("percent", configured.percent))
    return configured.tightened(own)


def idle_guards(document: Document, configured: Limits) -> Iterator[Problem]:
    """A warning for each guard that is looser than the config's."""
    guards = document.root.get("guards")
    written = guards.get("max_revokes") if isinstance(guards, Map) else None
    if not isinstance(written, Map):
        return
    for key, most in (("count", configured.count), ("percent", configured.percent)):
        node = written.get(key)
        if _is_looser(document, node, most):
            yield document.source.problem(
                "NB252",
                written.pairs[key].value.span,
                f"this guard has no effect: the config allows {key}: {most} at most",
                "remove it, or tighten it",
                Severity.WARNING,
            )


def _is_looser(document: Document, node: Node | None, most: int) -> bool:
    return (
        isinstance(node, Scalar)
        and isinstance(node.value, int)
        and document.sound(node)
        and node.value > most
    )


def _contradictions(documents: Sequence[Document], field: str) -> Iterator[Problem]:
    said = [(document, node) for document in documents if (node := document.root.get(field))]
    for document, node in said[1:]:
        first, first_node = said[0]
        if plain(node) != plain(first_node):
            yield document.source.problem(
                "NB209",
                document.root.pairs[field].key.span,
                f"{quoted(field)} says something else than in {first.source.at(first_node)}",
                "write it in one of the files only",
            )


def _said(documents: Sequence[Document], field: str) -> dict[str, Any]:
    nodes = (document.root.get(field) for document in documents)
    written: Any = next((plain(node) for node in nodes if node is not None), {})
    return dict(written)
