# Python 3.11 or newer and make are all that these need; everything else they set up themselves, in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=
# Two processes; a file's tests stay together, and long files of whole floors do not come last.
TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint bench stress clean

help: ## Show what there is to make.
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "tickfloor needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	@echo "setting up $(VENV), once; it takes a minute or two"
	@$(PYTHON) -m venv $(VENV)

# One stamp a lock: what only developers need is not asked of somebody who wants to run a floor.
$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	@$(PIP) --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	@$(PIP) --requirement requirements-dev.lock
	@touch $@

$(VENV)/.ready-bench: requirements-bench.lock $(VENV)/.ready-dev
	@$(PIP) --requirement requirements-bench.lock
	@touch $@

setup: $(VENV)/.ready ## Make .venv with the tickfloor command in it.

run: setup ## Run the floor on a simulated market; ARGS=--seconds=20 ends by itself.
	@$(BIN)/tickfloor demo $(ARGS)

test: $(VENV)/.ready-dev ## Run the tests.
	@$(BIN)/python -m pytest $(TWO) $(ARGS)

lint: $(VENV)/.ready-dev ## Lint, types and architecture.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint ## Lint, types, architecture, and the fast tests.
	@$(BIN)/python -m pytest $(TWO) -m "not slow" $(ARGS)

bench: $(VENV)/.ready-bench ## Run every benchmark and render docs/performance.md.
	@$(BIN)/python -m benchmarks.run_all $(ARGS)

stress: $(VENV)/.ready-dev ## Run the stress tests: minutes, with outcome tables.
	@$(BIN)/python -m stress.run_all $(ARGS)

clean: ## Remove what was set up and cached.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
