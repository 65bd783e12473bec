# Tocsin in two commands: `make up` runs it, `make test` proves it. `make` alone lists the others.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Every process of a test would compile the sources for itself, which takes longer than all else it does to start.
unexport PYTHONDONTWRITEBYTECODE

# The first Python that is new enough and whole. PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

##@ The two commands

.PHONY: up
up: $(VENV)/.runtime panel-or-go-on ## Run everything on this machine: database, API, worker
	@exec $(BIN)/tocsin up

.PHONY: test
test: lint types panel-test sdk-test suite ## Install what tests need, then check style, types and imports, and run every test

##@ While Tocsin runs

.PHONY: demo
demo: $(VENV)/.runtime ## Send sample events to the running Tocsin and watch the notifications arrive
	@exec $(BIN)/tocsin demo

##@ For work on Tocsin

# These keep every core busy by themselves, or stop the clock of what they look at.
ALONE := tests/benchmarks tests/crash tests/overload tests/panel tests/sdk tests/up

.PHONY: suite
suite: $(VENV)/.dev
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 5 $(addprefix --ignore=,$(ALONE))
	@$(BIN)/python -m pytest $(ALONE)

.PHONY: pytest
pytest: $(VENV)/.dev ## Run the tests alone; ARGS="tests/up -k port" narrows them
	@$(BIN)/python -m pytest $(ARGS)

.PHONY: panel
panel: $(VENV)/.made ## Build the panel, if its sources changed
	@$(BIN)/python panel/build.py

# The API works without a panel, so a machine that cannot fetch what builds one still comes up.
.PHONY: panel-or-go-on
panel-or-go-on: $(VENV)/.runtime
	@$(BIN)/python panel/build.py --or-go-on

.PHONY: panel-test
panel-test: $(VENV)/.dev ## Check the panel's style and types, and run its tests that need no browser
	@$(BIN)/python panel/build.py --check panel

.PHONY: sdk-test
sdk-test: $(VENV)/.dev ## The same for the bell and inbox in sdk/react
	@$(BIN)/python panel/build.py --check sdk/react

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

.PHONY: lint
lint: $(VENV)/.dev ## Check style, format and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

.PHONY: types
types: $(VENV)/.dev ## Check types
	@$(BIN)/mypy

.PHONY: openapi
openapi: $(VENV)/.runtime ## Write openapi.json anew
	@$(BIN)/tocsin openapi --write openapi.json

.PHONY: bench
bench: $(VENV)/.dev ## Measure the real thing and print a table
	@$(BIN)/python -m bench

.PHONY: race
race: $(VENV)/.dev ## Race eight processes for a quota; EVENTS=10000 from each to each project
	@TOCSIN_RACE_EVENTS=$(or $(EVENTS),10000) $(BIN)/python -m pytest tests/plans/test_race.py

.PHONY: life
life: $(VENV)/.dev ## Let notifications live through whatever may happen; EXAMPLES=2000 lives
	@TOCSIN_LIFE_EXAMPLES=$(or $(EXAMPLES),500) $(BIN)/python -m pytest tests/notifications/test_life.py

.PHONY: soketi
soketi: $(VENV)/.dev ## Send through soketi, a Pusher server of somebody else's; fetches 290 MB the first time
	@TOCSIN_TEST_SOKETI=1 $(BIN)/python -m pytest tests/channels/test_soketi.py

.PHONY: crash
crash: $(VENV)/.dev ## Kill processes while events flow; RUNS=3000 faults, or POINTS=1 for each named moment; SEED=7
	@$(BIN)/python -m tests.crash $(if $(POINTS),--points,--faults $(or $(RUNS),100)) $(if $(SEED),--seed $(SEED)) \
		$(if $(OLD),--old $(OLD))

.PHONY: lock
lock: $(VENV).uv/.made ## Renew both lock files within the bounds of pyproject.toml; UPGRADE=1 takes the newest
	@$(COMPILE) --group build --constraints requirements-dev.lock --output-file requirements.lock
	@$(COMPILE) --group dev --constraints requirements.lock --output-file requirements-dev.lock

.PHONY: clean
clean: ## Remove the environment and caches; data in .tocsin stays
	rm -rf $(VENV) $(VENV).uv panel/node_modules src/tocsin/panel/dist sdk/react/node_modules sdk/react/dist sdk/react/demo/dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests migrations -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The locks name no address of a registry and nothing of the machine that made them.
COMPILE = $(VENV).uv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate $(if $(UPGRADE),--upgrade)

# Stamps: what stands installed is installed again only after its lock file changed.

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.made
	@echo "Installing Tocsin into $(VENV) ..."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/.made
	@echo "Installing Tocsin and its development tools into $(VENV) ..."
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.runtime

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Tocsin needs Python 3.11 or newer, and found none here." >&2; \
		echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments." >&2; \
		echo "Install what is missing (Debian, Ubuntu: apt install python3-venv), or name another: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV).uv/.made:
	@$(PYTHON) -m venv $(VENV).uv
	@$(VENV).uv/bin/python -m pip --disable-pip-version-check --quiet install 'uv==0.13.*'
	@touch $@
