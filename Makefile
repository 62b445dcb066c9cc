# Python 3.11 or newer and make are all that these need; everything else they set up themselves, in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint bench stress clean

help: ## Show what there is to make.
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "tickfloor needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

setup: $(STAMP) ## Make .venv with the tickfloor command in it.

run: setup ## Run the floor on a simulated market; ARGS=--seconds=20 ends by itself.
	@$(BIN)/tickfloor demo $(ARGS)

test: setup ## Run the tests.
	@$(BIN)/python -m pytest $(ARGS)

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint ## Lint, types, architecture and the fast tests.
	@$(BIN)/python -m pytest -m "not slow" $(ARGS)

bench: setup ## Run every benchmark and render docs/performance.md.
	@$(BIN)/python -m benchmarks.run_all $(ARGS)

stress: setup ## Run the stress tests: minutes, with outcome tables.
	@$(BIN)/python -m stress.run_all $(ARGS)

clean: ## Remove what was set up and cached.
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
