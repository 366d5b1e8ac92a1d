"""Fixtures that every test may ask for, and one seed for all chance when CI runs."""

import os

import pytest
from hypothesis import settings
from staging import stage

__all__ = ["stage"]

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--large", action="store_true", help="walk the largest scenarios, too")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the exploration saw, wherever it ran."""
    told = [dict(r.user_properties) for r in terminalreporter.getreports("passed") if r.user_properties]
    walks = [each for each in told if "explored" in each]
    if walks:
        terminalreporter.section("explored")
        for each in walks:
            terminalreporter.write_line(each["explored"])
        total = sum(each["states"] for each in walks)
        terminalreporter.write_line(f"{total:,} states in {len(walks)} scenarios, every one in order")
