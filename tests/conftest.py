"""Fixtures that every test may ask for, and one seed for all chance when CI runs."""

import os
from collections import Counter

import pytest
from hypothesis import settings
from staging import stage

__all__ = ["stage"]

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--large", action="store_true", help="larger scenarios, more histories")
    parser.addoption("--history", default="", help="one history again, from its blob")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the exploration saw, and how many histories were told, wherever they ran."""
    told = [dict(r.user_properties) for r in terminalreporter.getreports("passed") if r.user_properties]
    walks = [each for each in told if "explored" in each]
    if walks:
        terminalreporter.section("explored")
        for each in walks:
            terminalreporter.write_line(each["explored"])
        total = sum(each["states"] for each in walks)
        terminalreporter.write_line(f"{total:,} states in {len(walks)} scenarios, every one in order")
    counts = sum((Counter(each["histories"]) for each in told if "histories" in each), Counter())
    if counts:
        terminalreporter.section("histories")
        terminalreporter.write_line(
            f"{counts['histories']:,} histories of {counts['runs']:,} runs: {counts['mints']:,} tokens made, "
            f"{counts['revokes']:,} revoked; {counts['stopped']} ended where a guard wants a human's word"
        )
