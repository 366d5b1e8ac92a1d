"""Each type of sink has an example that is valid and shows every option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.receipts import SetName
from reconciler.sinks import BUILT_IN, sink_type
from reconciler.source.config import Config, load_config
from reconciler.source.overlaps import overlaps
from reconciler.source.schema import schema_text
from reconciler.surroundings import Surroundings

EXAMPLES = Path(__file__).parents[2] / "examples" / "sinks"
DEFINITIONS = json.loads(schema_text("config.v1"))["definitions"]


def example(name: str) -> Config:
    return load_config(EXAMPLES / f"{name}.yaml")


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_example_is_a_valid_config_of_its_type(name: str) -> None:
    sinks = example(name).sinks.values()
    assert {sink.type for sink in sinks} == {name}
    rules = [sink_type(name).keys(sink.options) for sink in sinks]
    assert all(rule.accepts(rule.default(SetName("a"), "B c")) for rule in rules)
    around = Surroundings(EXAMPLES, {}, allow_http=False)
    assert overlaps(sinks, {s.name: sink_type(name).store(s.options, around) for s in sinks}) == ()


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_example_shows_every_option(name: str) -> None:
    wanted = set(options(DEFINITIONS[f"{name}_sink".replace("-", "_")]))
    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    assert {option for option in wanted if f"{option}:" not in text} == set()


def options(part: dict[str, Any]) -> list[str]:
    """The names of all options of a definition, those within others included."""
    found = []
    for name, field in part.get("properties", {}).items():
        found += [name, *(options(field) if isinstance(field, dict) else [])]
    return found
