"""Every message, word for word: what stands in problems/*.yaml gives exactly *.expected."""

from __future__ import annotations

from pathlib import Path

import pytest
from loading import KEYS, TODAY

from reconciler.errors import InputError
from reconciler.source.build import load_set
from reconciler.source.codes import CODES
from reconciler.source.config import Config
from reconciler.source.problems import Problem

PROBLEMS = Path(__file__).parent / "problems"
FILES = sorted(PROBLEMS.glob("*.yaml"))


def problems_of(file: Path, config: Config) -> tuple[Problem, ...]:
    try:
        return load_set([Path(file.name)], config, KEYS, TODAY).warnings
    except InputError as error:
        return tuple(problem for problem in error.problems if isinstance(problem, Problem))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_problems_are_told_word_for_word(
    file: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROBLEMS)
    problems = problems_of(file, config)
    assert "\n".join(map(str, problems)) + "\n" == file.with_suffix(".expected").read_text("utf-8")
    assert {problem.code for problem in problems} <= CODES.keys()


def test_every_expectation_has_its_file() -> None:
    assert {file.stem for file in FILES} == {file.stem for file in PROBLEMS.glob("*.expected")}
