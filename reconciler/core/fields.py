"""What differs between two states of a token, field by field. The only importer of deepdiff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; None where there was nothing."""

    path: str
    before: object
    after: object


def field_changes(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> tuple[FieldChange, ...]:
    """The fields that differ, sorted by name; values of another type count as different."""
    from deepdiff import DeepDiff  # noqa: PLC0415 - slow to load, and few plans compare anything

    old, new = dict(before or {}), dict(after or {})
    differing = DeepDiff(old, new, ignore_order=False, view="tree").affected_root_keys
    return tuple(FieldChange(key, old.get(key), new.get(key)) for key in sorted(differing))
