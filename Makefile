# Thin wrappers: what they do is in launcher/ and pyproject.toml.
PYTHON ?= python3
BIN := .venv/bin
CODE := launcher services tests
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-annotate --quiet \
	--custom-compile-command 'make lock'

# Two parts at a time, each with its output in one piece; an old make, as macOS has it, does one after the other.
SIDE_BY_SIDE := $(MAKE) --no-print-directory $(if $(filter output-sync,$(.FEATURES)),--jobs=2 --output-sync=target)

# What a command starts ends with the make that a person started, even when that one is killed (launcher/supervision/reaper.py).
ifndef OMS_MAKE_PID
export OMS_MAKE_PID := $(shell echo $$PPID)
endif
ENDING_WITH_MAKE := $(PYTHON) -m launcher exec

.DEFAULT_GOAL := help
REPLICAS ?= 1
KILLS ?= 510
REQUESTS ?= 10000
.PHONY: help setup venv oldest-pip run restart deps zipkin test lint format unit e2e chromium browser fuzz fuzz-long chaos chaos-short \
	chaos-mutants engine bench bench-short lock audit clean clean-state

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: ## Get everything that is needed onto this machine (done by run, deps and test too)
	@$(PYTHON) -m launcher setup

# All that lint and the unit tests need: they run where Redis or Dapr cannot be had.
venv:
	@$(PYTHON) -m launcher venv

oldest-pip: venv
	@$(BIN)/python -m tests.unit.launcher.oldest_pip

run: ## Start the whole system and keep it alive; Ctrl-C stops it; REPLICAS=2 and CHAOS=1 are explained in docs/operations.md
	@$(PYTHON) -m launcher run --replicas $(REPLICAS) $(if $(filter 1 true yes,$(CHAOS)),--chaos) $(OPTIONS)

restart: ## Restart the apps of the running system one by one, as after a change of code
	@$(PYTHON) -m launcher restart $(if $(APP),--app $(APP))

deps: ## Start only Redis, placement and scheduler, for `dapr run -f .` in another terminal
	@$(PYTHON) -m launcher deps

zipkin: ## Start Zipkin on port 9411, to see the traces
	@$(PYTHON) -m launcher zipkin

test: setup chromium oldest-pip ## Run every check and test, as CI does: two parts at a time, each on ports of its own
	@echo "Two parts run at a time; what a part says is shown when it is over."
	+@$(SIDE_BY_SIDE) lint e2e browser unit fuzz
	+@$(SIDE_BY_SIDE) chaos-short bench-short

lint: venv ## Check style, types, the layers of the code and the workflows of GitHub Actions
	$(ENDING_WITH_MAKE) $(BIN)/ruff check $(CODE)
	$(ENDING_WITH_MAKE) $(BIN)/ruff format --check $(CODE)
	$(ENDING_WITH_MAKE) $(BIN)/mypy
	$(ENDING_WITH_MAKE) $(BIN)/lint-imports
	@$(PYTHON) -m launcher actionlint

format: venv ## Format the code and fix what can be fixed by itself
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

unit: oldest-pip ## Run the unit tests, with coverage
	$(BIN)/pytest tests/unit --numprocesses auto --dist worksteal --cov --cov-report=term-missing:skip-covered

e2e: setup ## Run the end-to-end tests on a system of their own, on other ports
	$(BIN)/pytest tests/e2e

chromium: setup ## Find or install the browser that the tests drive (done by browser and test too)
	@$(PYTHON) -m launcher browser

browser: chromium ## Drive the console in a real Chromium, on a system of its own; screenshots are left in .state/screenshots
	$(BIN)/pytest tests/browser

fuzz: setup ## Send every service what its OpenAPI document allows and forbids: behind fakes, then on a system of its own
	$(BIN)/pytest tests/fuzz

fuzz-long: setup ## Fuzz a system of its own with 10,000 requests (REQUESTS=10000)
	$(BIN)/python -m tests.fuzz --requests $(REQUESTS)

chaos-short: setup ## Kill every process at least once: the crash matrix in short, part of `make test`
	$(BIN)/pytest tests/chaos

chaos: setup ## Kill every process of a system of its own, again and again, and check that no order suffers (KILLS=510)
	$(BIN)/python -m tests.chaos --kills $(KILLS)

bench: setup ## Measure: orders a second, latencies, what an order costs each process, and the bare engine beside it (BENCH="--help")
	@$(BIN)/python -m tests.bench $(BENCH)

bench-short: setup ## The benchmark in short, to see that it works; part of `make test`
	$(BIN)/pytest tests/bench

chaos-mutants: setup ## Take each undo and idempotency key away in turn, and check that the crash matrix notices (one to two hours)
	$(BIN)/python -m tests.chaos.mutate

engine: setup ## Reproduce the faults of Dapr that we work around, after an upgrade of Dapr (two to five minutes)
	$(BIN)/pytest tests/engine

lock: setup ## Pin what requirements.in and requirements-dev.in name, and what that needs, by version and hash
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --constraint requirements.txt --output-file requirements-dev.txt

audit: ## Look the pinned packages and Dapr up in the public databases of vulnerabilities (needs the internet)
	@$(PYTHON) -m launcher audit

clean: ## Remove the virtual environment, caches and log files; the orders stay
	rm -rf .venv .dapr .state/logs .state/screenshots .pytest_cache .mypy_cache .ruff_cache .coverage htmlcov
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

clean-state: ## Remove all orders and workflows (Redis's and the scheduler's data together)
	@$(PYTHON) -m launcher clean-state
