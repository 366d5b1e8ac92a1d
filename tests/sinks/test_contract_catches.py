"""The contract itself: it is green on a good sink, and each bad one is caught by the test that is for it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bad_sinks import BAD, Good, OnShelf

from reconciler.testing import SinkContract

FILE = Path(__file__).with_name("bad_sinks.py")


class TestGood(SinkContract):
    """So what the contract finds in the others is what they do worse."""

    @pytest.fixture
    def store(self) -> OnShelf:
        return OnShelf(Good)


@pytest.fixture(scope="module")
def failed() -> set[str]:
    """The tests that failed, of those that are for the bad sinks: run once, as another project runs them."""
    tests = [f"{FILE}::Test{kind.__name__}::{test}" for kind, test in BAD.items()]
    argv = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return set(re.findall(r"^(?:FAILED|ERROR) \S+?::(\S+)", done.stdout, re.MULTILINE))


@pytest.mark.parametrize(("kind", "test"), BAD.items(), ids=[kind.__name__ for kind in BAD])
def test_a_bad_sink_is_caught(kind: type[Good], test: str, failed: set[str]) -> None:
    assert f"Test{kind.__name__}::{test}" in failed
