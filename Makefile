# Every task of the project. Needs make and Python 3.11, 3.12 or 3.13; `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first interpreter that fits; another one: make PYTHON=/path/to/python3.12 …
FITS := import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c "$(FITS)" >/dev/null 2>&1 && echo "$$p" && break; done)

VENV := .venv
BIN := $(VENV)/bin
TRAIN_VENV := .venv-train
MUTATE_VENV := .venv-mutate
LOCK_VENV := .venv-lock
AUDIT_VENV := .venv-audit
PIP_AUDIT := pip-audit==2.10.1
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-header
DATA ?=
ARGS ?=
WORKERS ?= 2
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes

# $(call make-venv,FOLDER): an empty virtual environment, or a message that says what is missing.
define make-venv
@if [ -z "$(PYTHON)" ]; then \
	echo "No Python 3.11, 3.12 or 3.13 with the venv module found on PATH." >&2; \
	echo "Install one, or say where it is: make PYTHON=/path/to/python3.12 …" >&2; exit 1; fi
@echo "$(1): installing ($$("$(PYTHON)" --version))"
@"$(PYTHON)" -m venv --clear $(1) || { \
	echo "$(PYTHON) can't make a virtual environment (Debian: apt install python3-venv)." >&2; \
	rm -rf $(1); exit 1; }
endef

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

.PHONY: venv
venv: $(VENV)/.installed ## the virtual environment, from requirements.lock with checked hashes

$(VENV)/.installed: requirements.lock
	$(call make-venv,$(VENV))
	@$(BIN)/python $(PIP) -r requirements.lock
	@touch $@

$(TRAIN_VENV)/.installed: requirements-train.lock
	$(call make-venv,$(TRAIN_VENV))
	@$(TRAIN_VENV)/bin/python $(PIP) -r requirements-train.lock
	@touch $@

$(MUTATE_VENV)/.installed: requirements-mutate.lock
	$(call make-venv,$(MUTATE_VENV))
	@$(MUTATE_VENV)/bin/python $(PIP) -r requirements-mutate.lock
	@touch $@

.PHONY: demo
demo: venv ## the main job, played from start to end in under two minutes (DEMO_LANG=en for English)
	@$(BIN)/python -m deploy.local.demo

.PHONY: run
run: venv ## the same stack left running, until Ctrl-C
	@$(BIN)/python -m deploy.local.run

# A file's tests stay together: they share what is slow to start. Those few that take long come last.
.PHONY: test
test: venv ## all tests, on embedded parts, by two workers (one file: make test ARGS=tests/unit/…)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not every_mistake" $(ARGS)

.PHONY: test-real
test-real: venv ## integration and e2e tests on Apache Kafka and the compiled store
	@$(BIN)/python -m deploy.local.parts
	$(BIN)/python -m pytest --parts real tests/integration tests/e2e

.PHONY: mutate
mutate: $(MUTATE_VENV)/.installed ## which small mistakes in the pure core no test notices: hours, and var/mutate/summary.json
	@$(MUTATE_VENV)/bin/python -m tools.mutate $(ARGS)

.PHONY: mutate-short
mutate-short: venv ## the short form: plants the serious mistakes of tests/planted only
	$(BIN)/python -m pytest -n $(WORKERS) -m "not every_mistake" tests/planted

.PHONY: check
check: venv ## format, lint, types, layers, generated documents in step
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy bench deploy services shared tests tools
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.local.docs --check

.PHONY: docs
docs: venv ## write the generated documents
	$(BIN)/python -m deploy.local.docs

.PHONY: bench
bench: venv ## figures, each beside its floor: a table and var/bench/results.json
	@$(BIN)/python -m bench

.PHONY: attack
attack: venv ## attacks on a running stack while genuine webhooks flow: var/attack/summary.json
	@$(BIN)/python -m bench.attack

$(AUDIT_VENV)/.installed: Makefile
	$(call make-venv,$(AUDIT_VENV))
	@$(AUDIT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$(PIP_AUDIT)"
	@touch $@

.PHONY: audit
audit: $(AUDIT_VENV)/.installed ## known advisories against requirements.lock, where a source is reachable
	@$(AUDIT_VENV)/bin/python -m deploy.local.advisories $(AUDIT_VENV)/bin/pip-audit requirements.lock

.PHONY: train
train: $(TRAIN_VENV)/.installed ## train the sentiment model: make train DATA=<folder>
	@if [ -z "$(DATA)" ]; then echo "Which data? make train DATA=<folder>" >&2; exit 2; fi
	@OMP_NUM_THREADS=1 $(TRAIN_VENV)/bin/python -m services.sentiment.training "$(DATA)"

.PHONY: adapt-bench
adapt-bench: $(TRAIN_VENV)/.installed ## what adapting to a stream gains: make adapt-bench DATA=<folder>
	@if [ -z "$(DATA)" ]; then echo "Which data? make adapt-bench DATA=<folder>" >&2; exit 2; fi
	@OMP_NUM_THREADS=1 $(TRAIN_VENV)/bin/python -m services.sentiment.training.adapt_bench "$(DATA)"

.PHONY: bench-sentiment
bench-sentiment: $(TRAIN_VENV)/.installed ## the sentiment model's speed beside snownlp's
	@$(TRAIN_VENV)/bin/python -m bench.sentiment

.PHONY: lock
lock: ## resolve the dependencies anew and write the lock files
	$(call make-venv,$(LOCK_VENV))
	@$(LOCK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK_VENV)/bin/$(LOCK) --upgrade --extra local --extra dev -o requirements.lock pyproject.toml
	$(LOCK_VENV)/bin/$(LOCK) --upgrade -c requirements.lock -o deploy/requirements.lock pyproject.toml
	$(LOCK_VENV)/bin/$(LOCK) --upgrade -c requirements.lock --extra train --extra dev -o requirements-train.lock \
		pyproject.toml
	$(LOCK_VENV)/bin/$(LOCK) --upgrade -c requirements.lock --extra mutate --extra local --extra dev \
		-o requirements-mutate.lock pyproject.toml

.PHONY: clean
clean: ## remove what was generated; the cache of real parts stays
	rm -rf $(VENV) $(TRAIN_VENV) $(MUTATE_VENV) $(LOCK_VENV) $(AUDIT_VENV) var .mypy_cache .ruff_cache \
		.pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
