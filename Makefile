# `make demo` tells the story, `make test` proves it; both set up what they need in .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint types layers unit explore defects golden clean

demo: $(VENV)/ready
	$(BIN)/netbird-tokens demo

test: lint types layers unit

lint: $(VENV)/ready
	$(BIN)/ruff check reconciler tests benchmarks
	$(BIN)/ruff format --check reconciler benchmarks

types: $(VENV)/ready
	$(BIN)/mypy

layers: $(VENV)/ready
	$(BIN)/lint-imports

unit: $(VENV)/ready
	$(BIN)/pytest -n 2 --cov --cov-report=term:skip-covered

$(VENV)/ready: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[dev]'
	touch $@

defects: $(VENV)/ready  # plants each of tests/defects and looks whether a test notices
	$(BIN)/python tests/defects/run.py

explore: $(VENV)/ready  # minutes: the largest scenarios, too
	$(BIN)/pytest -n 2 tests/lifecycle --large

golden: $(VENV)/ready  # outputs that are meant to have changed; read the diff
	GOLDEN=write $(BIN)/pytest -q tests/test_outputs.py tests/test_reports.py

clean:
	rm -rf $(VENV) build dist
