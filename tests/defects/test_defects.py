"""The list of defects does not rot: each still fits the code, and each harm is told once."""

from __future__ import annotations

from pathlib import Path

import pytest
from defects import DEFECTS, Defect

PACKAGE = Path(__file__).parents[2] / "reconciler"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.harm)
def test_a_defect_can_be_planted(defect: Defect) -> None:
    text = (PACKAGE / defect.file).read_text("utf-8")
    assert text.count(defect.before) == 1
    assert defect.after != defect.before
    for test in defect.caught_by:
        assert not test.startswith("tests/") or (PACKAGE.parent / test).exists()


def test_there_are_enough_of_them() -> None:
    assert len(DEFECTS) >= 25
    assert len({defect.harm for defect in DEFECTS}) == len(DEFECTS)
