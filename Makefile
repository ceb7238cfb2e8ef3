# Two commands matter: `make demo` and `make test`. Both need Python >= 3.11 and a package index, nothing else, no root.
# The environment is .venv in this folder; it is made again only when the lock file or pyproject.toml changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is installed besides the locked dependencies: this project itself, editable.
STAMP := $(VENV)/.installed
CHECKED := services models tests benchmarks alembic

.DEFAULT_GOAL := help
.PHONY: help demo test run check lint format environment clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(STAMP) ## start everything, send a virtual patient, print its scores beside the truth, stop
	$(BIN)/agatha demo

# Matrices are small here: threads of the linear algebra gain nothing, and on a busy machine they wait for one another.
test check: export OPENBLAS_NUM_THREADS := 1

# The tests of one file share their servers. More than four files at once would wait for one another's processes.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile

test: $(STAMP) ## the whole test suite
	$(BIN)/python -m pytest $(PARALLEL)

run: $(STAMP) ## keep the all-in-one service up (Ctrl-C stops it)
	$(BIN)/agatha serve

check: lint ## format, lint, types, imports, unit tests
	$(BIN)/python -m pytest $(PARALLEL) tests/unit

lint: $(STAMP) ## what `check` does before its tests
	$(BIN)/ruff format --check $(wildcard $(CHECKED))
	$(BIN)/ruff check $(wildcard $(CHECKED))
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix $(wildcard $(CHECKED))
	$(BIN)/ruff format $(wildcard $(CHECKED))

environment: $(STAMP) ## make .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "Python 3.11 or newer is needed, $(PYTHON) is %d.%d; name another: make PYTHON=python3.12 ..." % v[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $@

clean: ## remove the environment, caches and demo data
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
