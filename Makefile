# What a contributor types; `make` alone lists it. Needs Python 3.10 to 3.13 and make: the rest is fetched into .uv/ and
# .venv/. To choose the Python: make setup PYTHON=python3.12
.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos check bench requirements schema

PYTHON ?= $(shell for name in python3.11 python3 python; do \
	$$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$name && break; done)
UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := .venv/bin
SYNCED := .venv/.synced
EXPORT := $(UV) export --quiet --offline --frozen --no-dev --no-emit-project --no-header --no-annotate --format requirements-txt
ROOT := .penstock/demo

# Bytecode is written at installation: where PYTHONDONTWRITEBYTECODE is set, as in many containers, nothing writes it later
# and every process compiles TensorFlow and Beam anew.
export UV_COMPILE_BYTECODE := 1
export UV_PROJECT_ENVIRONMENT := .venv

help:
	@echo "make demo          run the penguins pipeline, from the CSV to a model that predicts"
	@echo "make test          run all tests (ARGS='-k name' for some)"
	@echo "make chaos         kill 200 runs at random instants; each must resume (make test: 20)"
	@echo "make check         format, lint, types, import floors, doctests, exported requirements"
	@echo "make bench         run every benchmark; each ends with one JSON object of figures"
	@echo "make setup         only make the environment in .venv/"
	@echo "make requirements  export requirements.txt from uv.lock"
	@echo "make schema        write docs/plan.schema.json from the code"

setup: $(SYNCED)
	@$(BIN)/python -m compileall -q penstock

$(SYNCED): uv.lock pyproject.toml | $(UV)
	@test -n "$(PYTHON)" || { echo "There is no Python 3.10 to 3.13 on PATH. Name one: make setup PYTHON=/path/to/python"; exit 1; }
	@echo "setup: installing into .venv/ (2.6 GB the first time, some minutes)"
	@$(UV) sync --quiet --frozen --all-extras --python $(PYTHON)
	@touch $@

.uv/bin/uv:
	@echo "setup: installing uv into .uv/"
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

demo: setup
	@$(BIN)/penstock run examples/penguins/pipeline.py --root $(ROOT)
	@$(BIN)/python examples/penguins/demo.py $(ROOT)

test: setup
	@$(BIN)/pytest $(ARGS)

chaos: setup
	@PENSTOCK_CHAOS=200 $(BIN)/pytest -q tests/runners/test_chaos.py $(ARGS)

check: setup
	@echo "check: format"
	@$(BIN)/ruff format --quiet --check .
	@echo "check: lint"
	@$(BIN)/ruff check --quiet .
	@echo "check: types, as of Python 3.10 and 3.13"
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary --python-version 3.13
	@echo "check: import floors"
	@report=$$($(BIN)/lint-imports --no-logo) || { echo "$$report"; exit 1; }
	@echo "check: examples in docstrings"
	@$(BIN)/pytest --quiet --no-header --doctest-modules $$(grep -rl --include='*.py' '>>> ' penstock)
	@echo "check: requirements.txt is what uv.lock exports"
	@$(EXPORT) | cmp -s - requirements.txt || { echo "It isn't. Write it anew with: make requirements"; exit 1; }

bench: setup
	@for script in benchmarks/*.py; do echo "bench: $$script"; $(BIN)/python $$script || exit 1; done

requirements: | $(UV)
	@$(EXPORT) > requirements.txt

schema: setup
	@$(BIN)/python -c "import json; from penstock.pipeline.plan import plan_schema; \
	print(json.dumps(plan_schema(), indent=2, sort_keys=True))" > docs/plan.schema.json
