"""Which changes are drift: the world moved behind the file's back. What is merely due is not."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from reconciler.core.changes import Change
from reconciler.core.reasons import Reason


class DriftClass(StrEnum):
    """How the world differs."""

    MISSING = "missing"
    UNMANAGED = "unmanaged"
    LIFETIME = "lifetime"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - the name of a class, no secret
    SECRET_STALE = "secret-stale"  # noqa: S105 - same
    EXPIRED = "expired"
    ORPHAN = "orphan"
    IN_USE = "superseded-in-use"
    NOT_APPLIED = "not-applied"
    DUE = "due"
    """A renewal that time has brought about: no drift unless somebody asks for it."""


_CLASSES: Final = {
    Reason.NEW: DriftClass.MISSING,
    Reason.ADOPT_MISSING: DriftClass.MISSING,
    Reason.UNMANAGED: DriftClass.UNMANAGED,
    Reason.SAME_NAME: DriftClass.UNMANAGED,
    Reason.UNMANAGED_REVOKED: DriftClass.UNMANAGED,
    Reason.LIFETIME: DriftClass.LIFETIME,
    Reason.MISSING: DriftClass.SECRET_MISSING,
    Reason.DAMAGED: DriftClass.SECRET_MISSING,
    Reason.FOREIGN_SECRET: DriftClass.SECRET_MISSING,
    Reason.STALE: DriftClass.SECRET_STALE,
    Reason.LAPSED: DriftClass.EXPIRED,
    Reason.ORPHAN: DriftClass.ORPHAN,
    Reason.IN_USE: DriftClass.IN_USE,
    Reason.ADOPT_AMBIGUOUS: DriftClass.NOT_APPLIED,
    Reason.RENAMED: DriftClass.NOT_APPLIED,
    Reason.USER_CHANGED: DriftClass.NOT_APPLIED,
    Reason.ROTATION: DriftClass.NOT_APPLIED,
    Reason.DROPPED: DriftClass.NOT_APPLIED,
    Reason.PROTECT: DriftClass.NOT_APPLIED,
    Reason.TOMBSTONE: DriftClass.NOT_APPLIED,
    Reason.REMOVED: DriftClass.NOT_APPLIED,
    Reason.PROTECTED: DriftClass.NOT_APPLIED,
}
_IN_TIME: Final = {Reason.DUE: DriftClass.DUE, Reason.DEFERRED: DriftClass.DUE}


def drift_of(change: Change, asked: Collection[DriftClass] = ()) -> DriftClass | None:
    """The class of a change that is drift; None for what is in order, or due, or on its way.

    What is due counts where `asked` has that class.
    """
    found = _CLASSES.get(change.why.reason)
    if found is None and DriftClass.DUE in asked:
        return _IN_TIME.get(change.why.reason)
    return found


def class_of(code: str) -> DriftClass | None:
    """The same by the code of the reason, for a change that is a document; what is due never counts."""
    return _BY_CODE.get(code)


_BY_CODE: Final = {reason.code: kind for reason, kind in _CLASSES.items()}
