"""The outcomes of `reconciler.http`, under the name that they had when only this client knew them."""

from reconciler.http.outcome import (
    Answer,
    Failure,
    Json,
    Outcome,
    Stage,
    Text,
    content_of,
    printable,
)

__all__ = ["Answer", "Failure", "Json", "Outcome", "Stage", "Text", "content_of", "printable"]
