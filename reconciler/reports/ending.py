"""How a run ended, as a document: beside its plan, what became of each action and what is wrong."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from reconciler.reports.document import Plan, Tool


class Result(TypedDict):
    """What became of one action: `status` is one of `core.outcome.Status`.

    Attributes:
        token_id: The token that was made, or that was to go.
    """

    action: str
    name: str
    user: str
    status: str
    text: str
    token_id: str | None


class Stopped(TypedDict):
    """Why a run ended before it began, or broke off: an error of `reconciler.errors`, by its name.

    Attributes:
        problems: Everything that is wrong with the files, where that is the reason.
    """

    kind: str
    message: str
    hint: str
    problems: list[str]


class Problem(TypedDict):
    """Something that is wrong in a file, and where; lines and columns count from 1.

    Attributes:
        code: `netbird-tokens explain CODE` says more.
        severity: `error` or `warning`.
        fix: What to do about it; empty when the message already says it.
    """

    file: str
    line: int
    column: int
    code: str
    severity: str
    message: str
    fix: str


class Exit(TypedDict):
    """The exit code, what it means, whether the same command may simply run again, what to do next."""

    code: int
    meaning: str
    retry: bool
    next: str


class Part(TypedDict):
    """Which part of a saved plan a run was for.

    Attributes:
        shard: As in `2/4`.
        working: The parts that have anything to do; empty where the plan could not be read.
        plan: The digest of the saved plan, as it was sealed; empty where it could not be read.
    """

    shard: str
    working: list[str]
    plan: str


class Report(TypedDict):
    """`schemas/report.v1.schema.json`: what became of a run.

    Attributes:
        set: Empty where the files could not be read.
        command: Also one that only looks; its results are empty.
        plan: None when the run ended before there was one.
        problems: Of the files: errors, which ended it, or warnings.
        results: Every action of the plan, also those that were not started.
        summary: How many actions ended in which status, every status named.
    """

    format: str
    format_version: str
    tool: Tool
    set: NotRequired[str]
    command: str
    exit: Exit
    stopped: Stopped | None
    problems: NotRequired[list[Problem]]
    interrupted: bool
    summary: dict[str, int]
    results: list[Result]
    plan: Plan | None
    part: NotRequired[Part]
