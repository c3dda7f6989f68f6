# The commands of a checkout. They need make, git and Python 3.11, 3.12 or 3.13 with venv; nothing else.
.DEFAULT_GOAL := help
.PHONY: help up down reset status test test-fast hunt lint format faults bench bench-decisions bench-webhooks bench-viewers corpus screens
.DELETE_ON_ERROR:

# The interpreter behind whatever `python3` is here: a link, a shim, an active environment.
PYTHON = $(shell python3 -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
# uv is taken from the PATH, or installed for this checkout only.
UV = $(or $(shell command -v uv),.headgate/uv/bin/uv)
UV_VERSION = 0.13.9
BIN = .venv/bin
# Most system tests wait for processes: two at once keep two cores busy.
TEST_PROCESSES ?= 2
export UV_PROJECT_ENVIRONMENT = $(CURDIR)/.venv

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 26

up: .venv/.synced ## Start everything on this machine; Ctrl-C stops it
	@exec $(BIN)/headgate up

down: .venv/.synced ## Stop what `make up` or `headgate up --detach` has started elsewhere
	@exec $(BIN)/headgate down

reset: .venv/.synced ## Delete all data, after asking
	@exec $(BIN)/headgate reset

status: .venv/.synced ## Show every process and every address
	@exec $(BIN)/headgate status

test: lint .headgate/browser .headgate/examples ## Check style, types and layers, then run all tests (what CI runs)
	@exec $(BIN)/pytest -m "not faults" -n $(TEST_PROCESSES) --dist loadfile

test-fast: .venv/.synced ## Run the tests that need no servers
	@exec $(BIN)/pytest tests/unit tests/stream

hunt: .venv/.synced ## Look for counterexamples with thousands of new examples per property
	@exec $(BIN)/pytest --hypothesis-profile hunt -n $(TEST_PROCESSES) --timeout 1800 \
	    $$(grep -rlE 'import.* given|stateful' tests/unit tests/contract)

lint: .venv/.synced ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests
	@$(BIN)/lint-imports

format: .venv/.synced ## Put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

faults: .venv/.synced ## Kill, freeze and roll real workers for a long time
	@exec $(BIN)/pytest -rP -m "faults or chaos" tests/system

bench: .venv/.synced ## Measure payments per second, end to end
	@exec $(BIN)/python -m bench.end_to_end

bench-decisions: .venv/.synced ## Measure how long refunds wait for their decision
	@exec $(BIN)/python -m bench.decisions

bench-webhooks: .venv/.synced ## Measure webhooks per second, and what bad endpoints cost the others
	@exec $(BIN)/python -m bench.webhooks

bench-viewers: .venv/.synced ## Measure what ten people who look cost, and how far behind they are
	@exec $(BIN)/python -m bench.viewers

corpus: .venv/.synced ## Record tests/corpus anew: the decisions that today's code is held to
	@exec $(BIN)/python -m tests.corpus.record

screens: .headgate/browser ## Make the pictures of all screens in docs/screens anew
	@exec $(BIN)/python -m tests.browser.screens

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@echo "preparing the environment in .venv (the first time takes a minute) ..."
	@$(UV) sync --quiet --locked --no-python-downloads --extra local --python "$(PYTHON)"
	@touch $@

# Chromium for the browser tests. Where none can be had they are skipped, and the next time tries again.
.headgate/browser: .venv/.synced
	@echo "looking for Chromium, or installing it (some minutes at most) ..."
	@mkdir -p $(@D)
	@if $(BIN)/python -m tests.browser.chromium; then touch $@; \
	    else echo "going on without: the browser tests will be skipped"; fi

# What the example consumer for Node needs. Without a registry its test is skipped, and the next time tries again.
.headgate/examples: docs/examples/package-lock.json .venv/.synced
	@mkdir -p $(@D)
	@if PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix docs/examples --ignore-scripts --no-audit --no-fund --silent; \
	    then touch $@; else echo "going on without kafkajs: the example for Node will not be tested"; fi

.headgate/uv/bin/uv:
	@echo "installing uv $(UV_VERSION) into .headgate/uv ..."
	@python3 -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	    "Headgate needs Python 3.11 or newer; python3 is " + sys.version.split()[0])'
	@$(PYTHON) -m venv .headgate/uv
	@.headgate/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
