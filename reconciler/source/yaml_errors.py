"""libyaml's complaints in words that say what to do."""

from __future__ import annotations

from typing import Final

import yaml

from reconciler.source.problems import START, Problem, Span
from reconciler.source.text import Source

WRITE_IT: Final = "write the character itself"
_NO_TAGS: Final = ("text cannot start with `!`", "put the text in quotes")
_NO_DIRECTIVES: Final = ("a line cannot start with `%`", "remove it, or put the text in quotes")
_CAUSES: Final = (
    (
        "mapping values are not allowed",
        "a `: ` stands where no key can be",
        "put text with `: ` in quotes",
    ),
    ("could not find expected ':'", "a key without a `:` after it", "write `key: value`"),
    (
        "did not find expected '-' indicator",
        "this line is indented like no other of its list",
        "align it with its neighbours",
    ),
    (
        "did not find expected key",
        "this line is indented like no other of its mapping",
        "align it with its neighbours",
    ),
    ("did not find expected ',' or ']'", "a `[` is not closed", "close it with `]`"),
    ("did not find expected ',' or '}'", "a `{` is not closed", "close it with `}`"),
    ("found unexpected end of stream", "a quote is not closed", "close it"),
    ("found unexpected document indicator", "a quote is not closed", "close it"),
    ("found unknown escape character", 'this `\\` means nothing inside "…"', "use '…' instead"),
    ("cannot start any token", "text cannot start with this character", "put the text in quotes"),
    (
        "invalid Unicode character escape",
        "this escape is half a character, as JSON writes emoji",
        WRITE_IT,
    ),
    (
        "expected <document start>",
        "the document ended before this line",
        "remove the line, or the `...` or last bracket before it",
    ),
    (
        "expected comment or line break",
        "something stands behind the `|` or `>` of a text",
        "begin the text in the next line",
    ),
    (
        "expected node content",
        "a value is missing, or a bracket is not closed",
        "write the value, or close the bracket",
    ),
    (
        "expected alphabetic or numeric character",
        "no name stands behind `&` or `*`",
        "put the text in quotes",
    ),
    ("sequence entries are not allowed", "no list can start here", "start it in the next line"),
    ("URI", *_NO_TAGS),
    ("expected '>'", *_NO_TAGS),
    ("tag handle", *_NO_TAGS),
    ("directive name", *_NO_DIRECTIVES),
    ("digit or '.'", *_NO_DIRECTIVES),
    ("non-alphabetical", *_NO_DIRECTIVES),
    ("incompatible YAML", *_NO_DIRECTIVES),
)


def syntax_problem(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    """The place where the file stops being YAML, and the likely cause."""
    span = _span(error)
    line = source.lines[span.line - 1] if span.line <= len(source.lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        tab = Span(span.line, line.index("\t") + 1)
        return source.problem("NB110", tab, "a tab stands in the indentation", "use spaces")
    if line[span.column - 1 : span.column] == "\t":
        return source.problem("NB110", span, "a tab stands where a space must be", "use spaces")
    said = str(error.problem or error.context or "")
    for words, message, fix in _CAUSES:
        if words in said:
            return source.problem("NB102", span, f"this is not YAML: {message}", fix)
    return source.problem("NB102", span, f"this is not YAML: {said}", "put the text in quotes")


def _span(error: yaml.MarkedYAMLError) -> Span:
    """Where it went wrong; of something unclosed, where it was opened."""
    unclosed = "while scanning a quoted scalar", "while parsing a flow"
    opened = str(error.context or "").startswith(unclosed)
    mark = (error.context_mark if opened else error.problem_mark) or error.context_mark
    return Span(mark.line + 1, mark.column + 1) if mark else START
