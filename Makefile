# Thin wrappers around launcher/ and the tools that pyproject.toml configures.
PYTHON ?= python3
BIN := .venv/bin
CODE := launcher services tests workflow_testing
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-annotate --quiet \
	--custom-compile-command 'make lock'

# Runs two parts at a time, without mixing their output. The old make of macOS runs one after the other.
SIDE_BY_SIDE := $(MAKE) --no-print-directory $(if $(filter output-sync,$(.FEATURES)),--jobs=2 --output-sync=target)

# All processes of a command end with the outermost make, even when it is killed (launcher/supervision/reaper.py).
ifndef OMS_MAKE_PID
export OMS_MAKE_PID := $(shell echo $$PPID)
endif
ENDING_WITH_MAKE := $(PYTHON) -m launcher exec

.DEFAULT_GOAL := help
REPLICAS ?= 1
# `make test` runs without: tracing slows the unit tests down.
COVERAGE ?= --cov --cov-report=term-missing:skip-covered
KILLS ?= 510
SET ?= v1
REQUESTS ?= 10000
.PHONY: help setup venv oldest-pip run restart deps zipkin test lint format unit replay record-histories e2e e2e-shared e2e-own chromium \
	browser fuzz fuzz-long chaos chaos-short chaos-mutants engine bench bench-short lock audit clean clean-state

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## Install all dependencies (also done by run, deps and test)
	@$(PYTHON) -m launcher setup

# The dependencies of lint and the unit tests, which need neither Redis nor Dapr.
venv:
	@$(PYTHON) -m launcher venv

oldest-pip: venv
	@$(BIN)/python -m tests.unit.launcher.oldest_pip

run: ## Start the system under supervision; Ctrl-C stops it (REPLICAS=2, WORKERS=3, CHAOS=1: see docs/operations.md)
	@$(PYTHON) -m launcher run --replicas $(REPLICAS) $(if $(filter 1 true yes,$(CHAOS)),--chaos) $(OPTIONS)

restart: ## Restart the apps of the running system one by one, for example after a code change
	@$(PYTHON) -m launcher restart $(if $(APP),--app $(APP))

deps: ## Start only Redis, placement and scheduler, for `dapr run -f .` in another terminal
	@$(PYTHON) -m launcher deps

zipkin: ## Start Zipkin on port 9411 to view traces
	@$(PYTHON) -m launcher zipkin

test: setup chromium oldest-pip ## Run all checks and tests, as CI does: two parts at a time, each on its own ports
	@echo "Running two parts at a time, then the crash matrix. The output of a part is shown when it has finished."
	+@$(SIDE_BY_SIDE) COVERAGE= e2e-own e2e-shared browser unit lint fuzz bench-short
	+@$(MAKE) --no-print-directory chaos-short

lint: venv ## Check style, types, the layers of the code and the workflows of GitHub Actions
	$(ENDING_WITH_MAKE) $(BIN)/ruff check $(CODE)
	$(ENDING_WITH_MAKE) $(BIN)/ruff format --check $(CODE)
	$(ENDING_WITH_MAKE) $(BIN)/mypy
	$(ENDING_WITH_MAKE) $(BIN)/lint-imports --no-logo
	@$(PYTHON) -m launcher actionlint

format: venv ## Format the code and apply automatic fixes
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

unit: oldest-pip ## Run the unit tests with coverage, and replay the recorded histories
	$(BIN)/pytest tests/unit tests/replay --numprocesses auto --dist worksteal $(COVERAGE)

replay: venv ## Replay the recorded histories of every scenario with the workflows of this checkout
	$(BIN)/pytest tests/replay

record-histories: setup ## Record the histories of every scenario from the real runtime, as another set (SET=v2)
	$(BIN)/python -m tests.replay --set $(SET)

e2e: setup ## Run the end-to-end tests on a separate system, on other ports
	$(BIN)/pytest tests/e2e

# The two parts of e2e, which `make test` runs side by side: the tests of one shared system, and those that start their own.
e2e-shared: setup
	$(BIN)/pytest tests/e2e -m shared_system

e2e-own: setup
	$(BIN)/pytest tests/e2e -m 'not shared_system'

chromium: setup ## Find or install the browser for the tests (also done by browser and test)
	@$(PYTHON) -m launcher browser

browser: chromium ## Test the console in a real Chromium, on a separate system; screenshots are in .state/screenshots
	$(BIN)/pytest tests/browser

fuzz: setup ## Fuzz every service with valid and invalid requests: with fakes, then on a separate system
	$(BIN)/pytest tests/fuzz

fuzz-long: setup ## Fuzz a separate system with 10,000 requests (REQUESTS=10000)
	$(BIN)/python -m tests.fuzz --requests $(REQUESTS)

chaos-short: setup ## Run the short crash matrix, which kills every process at least once; part of `make test`
	$(BIN)/pytest tests/chaos

chaos: setup ## Run the crash matrix: kill the processes of a separate system repeatedly, and check all orders (KILLS=510)
	$(BIN)/python -m tests.chaos --kills $(KILLS)

bench: setup ## Measure throughput, latency and CPU time per order, and the bare engine for comparison (BENCH="--help")
	@$(BIN)/python -m tests.bench $(BENCH)

bench-short: setup ## Run the short benchmark, to check that it works; part of `make test`
	$(BIN)/pytest tests/bench

chaos-mutants: setup ## Remove each safeguard in turn, and check that the crash matrix detects it (one to two hours)
	$(BIN)/python -m tests.chaos.mutate

engine: setup ## Reproduce the Dapr bugs that we work around, after an upgrade of Dapr (two to five minutes)
	$(BIN)/pytest tests/engine

lock: setup ## Pin the packages of requirements.in and requirements-dev.in and their dependencies by version and hash
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --constraint requirements.txt --output-file requirements-dev.txt

audit: ## Check the pinned packages and Dapr against the public vulnerability databases (needs the internet)
	@$(PYTHON) -m launcher audit

clean: ## Remove the virtual environment, caches and log files, but not the orders
	rm -rf .venv .dapr .state/logs .state/screenshots .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage htmlcov
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

clean-state: ## Remove all orders and workflows (the data of Redis and the scheduler)
	@$(PYTHON) -m launcher clean-state
