# The default goal prints itself. Everything happens in .venv, made from requirements.lock.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.made-from-lock

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## start everything, run real orders, sign-ups and a release, show what happened, stop
	@$(BIN)/hub demo

up: $(STAMP) ## start everything and stay until Ctrl-C
	@$(BIN)/hub up

test: $(STAMP) ## run every test
	@$(BIN)/python -m pytest -n 2

check: $(STAMP) ## lint, types, and the tests that need nothing
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python -m pytest -q tests/unit

bench: $(STAMP) ## measure the hub beside the stock worker and the bare calls; about 15 minutes
	@$(BIN)/python -m benchmarks

storm: $(STAMP) ## 5,000 webhooks of 200 orders, about 100,000 deliveries, processes killed: nothing lost, nothing twice; writes docs/storm.md
	@$(BIN)/python -m tests.proofs.storm --write

crash-matrix: $(STAMP) ## kill and freeze everything at every moment of every process, again while it recovers; half an hour; writes docs/crash-matrix.md
	@$(BIN)/python -m tests.proofs.crashes --write

outage: $(STAMP) ## providers away or limited while 100 orders come in: nothing is hammered, and afterwards everything has happened once
	@$(BIN)/python -m tests.proofs.outage

lock: ## make requirements.lock anew from pyproject.toml; needs uv
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --group dev pyproject.toml -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@echo "Making .venv from requirements.lock; this takes about a minute …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help demo up test check bench storm crash-matrix outage lock
