# Everything a developer types. `make install` first; the others do it themselves where it is missing.

# The first that was built with optimisations, which version managers leave out: docs/decisions/016-compiling.md.
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do \
  "$$one" -I stream/interpreter.py 2>/dev/null && echo "$$one" && exit; done; echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.dev
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := $(PIP) --require-hashes --no-deps  # the locks name everything: asked for an extra, an old pip takes the newest instead

.DEFAULT_GOAL := help
.PHONY: help install demo bytecode test check coverage bench chaos rehearse lock clean

help:  ## what there is to type
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(READY)  ## the command at .venv/bin/leadstream, everything locked with hashes

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1): make install PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "$(PYTHON) comes without venv: install it (on Debian and Ubuntu: apt install python3-venv), then make install" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(LOCKED) -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.lock $(READY)
	$(LOCKED) -r requirements-dev.lock
	@touch $@

bytecode: $(READY)
	@$(BIN)/python -m compileall -q stream schemas  # hundreds of commands start, some with PYTHONDONTWRITEBYTECODE set

demo: install bytecode  ## visitors become leads before your eyes, no Docker needed
	@$(BIN)/leadstream demo

test: $(DEV) bytecode  ## all tests, on the embedded broker and on a real Apache Kafka
	$(BIN)/python -m pytest -n 5 --no-loadscope-reorder

check: $(DEV)  ## style, types, arrows, generated files, doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.generate --check
	$(BIN)/python -m deploy.generate --check
	$(BIN)/python -m pytest --quiet --doctest-modules --import-mode=importlib -p no:cacheprovider stream schemas

coverage: $(DEV)  ## the tests again, measured, also in the worker processes
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='stream/domain/*' --fail-under=100
	$(BIN)/coverage report --fail-under=90

bench: $(DEV)  ## what a core can do, and others on the same job; writes docs/benchmarks.md; ARGS="--help" tells the sizes
	$(BIN)/python -m benchmarks.run $(ARGS)

chaos: $(DEV) bytecode  ## workers and Kafka killed, frozen, stopped: is everything right after it? ARGS="--help" tells the sizes
	@$(BIN)/python -m tests.chaos $(ARGS)

rehearse: $(DEV)  ## what the runbook tells an operator to type, typed: repartition, backup and restore
	$(BIN)/python -m pytest tests/rehearsal/runbook.py

lock:  ## the newest versions that fit, with their hashes
	uv pip compile -q pyproject.toml --extra build --extra dev --generate-hashes --universal --no-emit-index-url --no-header -o requirements-dev.lock
	uv pip compile -q pyproject.toml --extra build -c requirements-dev.lock --generate-hashes --universal --no-emit-index-url --no-header -o requirements.lock

clean:  ## away with what was built
	rm -rf $(VENV) build dist .cache .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
