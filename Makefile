# Needs make, Python 3.11 or later and Node 20 or later. Everything else is installed here: .venv/ and node_modules/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Compiled Python files make every start two to three times faster.
unexport PYTHONDONTWRITEBYTECODE
# On a busy machine compiling the largest of them takes longer than uv's minute.
export UV_COMPILE_BYTECODE_TIMEOUT := 900

# Node 20 works; the notice that it is old is for the CDK's own users.
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION := 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

PACKAGES := language shared_metadata systems conductor slices infra console doubles
BIN := .venv/bin
# The first of them that is there, looked for once.
PYTHON ?= $(eval PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then command -v $$name; break; fi; done))$(PYTHON)

# What set-up has done, and of each what must be there for it to count as done.
PYTHON_STAMP := .venv/.installed
ATOLL := $(BIN)/atoll
NODE_STAMP := node_modules/.installed
CDK := node_modules/.bin/cdk

# Where set-up says what nobody needs to read unless it fails.
LOG := .atoll/setup.log
UV = "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)"
SHOWN_SECONDS := 15
# $(call quietly,doing what,command): its output goes to the log; every quarter of a minute a line says that it goes on.
define quietly
	@( while sleep 1 && kill -0 $$$$ 2>/dev/null; do \
		(( SECONDS % $(SHOWN_SECONDS) )) || echo "  still $(1) after $$SECONDS s; what it says is in $(LOG)"; done ) & \
	shown=$$!; trap "kill $$shown 2>/dev/null || true" EXIT; \
	$(2) >> $(LOG) 2>&1 || { echo "set-up failed while $(1): what it said is in $(LOG), its end below; then make setup again" >&2; \
	tail -n 5 $(LOG) >&2; exit 1; }
endef
# Only one set-up at a time works in a folder: it runs the command that follows when no other is under way, until that ends.
define LOCKED
import fcntl, os, sys
lock = os.open(".atoll/setup.lock", os.O_CREAT | os.O_RDWR)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("waiting for the set-up that is under way here", flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock, True)
os.execvp(sys.argv[1], sys.argv[1:])
endef
export LOCKED

.PHONY: help setup wheel demo demo-sources new-slice verify-aws verify test test-again test-deep test-deep-again test-slice golden coverage security fuzz lint audit format pr bench lock clean model faults

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install everything into .venv/ and node_modules/; a second run does nothing
	@mkdir -p $(dir $(LOG))
	@$(if $(PYTHON),"$(PYTHON)" -c "$$LOCKED") $(MAKE) PYTHON="$(PYTHON)" $(PYTHON_STAMP) $(NODE_STAMP)

wheel: setup ## Build dist/atoll-….whl, which brings all that a project needs: `uv tool install 'dist/atoll-….whl[local]'`
	@$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist .
	@echo dist/*.whl

demo: setup ## Run the airline example on the embedded AWS: deploy, run micro-batches, reconcile (FRESH=1 starts over)
	@$(BIN)/python -m examples.airline.demo $(if $(FRESH),--fresh)

demo-sources: setup ## Run a program over five kinds of source (PostgreSQL, Salesforce, Stripe, S3, Kinesis), and reconcile it; leaves nothing running
	@$(BIN)/python -m examples.sources.demo

new-slice: setup ## Make the folder of a slice: SLICE=collect/oracle, TITLE=Oracle; SQL=1 for a source that speaks SQL
	@$(BIN)/atoll new-slice $(SLICE) $(if $(TITLE),--title "$(TITLE)") $(if $(SQL),--sql)

verify-aws: setup ## Try Atoll in the account of your AWS credentials: deploy, run, compare, destroy; under a dollar (ARGS=--help)
	@$(BIN)/python -m examples.verify_aws $(ARGS)

verify: setup ## The same for one slice: SLICE=organize/athena has the views computed there (docs/deploying.md says it of each kind)
	@$(BIN)/python -m examples.verify_aws --slice $(SLICE) $(ARGS)

test: setup ## Run the quick suite: every kind of test; says at its end what it leaves to the deep one
	@ATOLL_SUITE=quick $(BIN)/pytest -n auto --dist loadgroup

test-again: setup ## Repeat one by one what failed in the quick suite
	@ATOLL_SUITE=quick ATOLL_AGAIN=1 $(BIN)/pytest -n 0 --last-failed --last-failed-no-failures none

test-deep: setup ## Run the deep suite: what `make test` leaves out, or does with fewer examples
	@ATOLL_SUITE=deep $(BIN)/pytest -n auto --dist loadgroup

test-deep-again: setup ## Repeat one by one what failed in the deep suite
	@ATOLL_SUITE=deep ATOLL_AGAIN=1 $(BIN)/pytest -n 0 --last-failed --last-failed-no-failures none

test-slice: setup ## Run all tests of one slice: SLICE=collect/postgres
	@ATOLL_SUITE=all $(BIN)/pytest -n auto --dist loadgroup slices/$(SLICE)

golden: setup ## Write what the language's cases and plans expect; read the difference before you keep it
	@ATOLL_UPDATE_GOLDEN=1 $(BIN)/pytest tests/language/test_cases.py tests/language/test_typed.py tests/update_set/test_plans.py

coverage: setup ## Tell which lines tests run, and which not: TESTS=tests/update_set OF=shared_metadata (all, if it does not say)
	@$(BIN)/coverage run --source=$(or $(OF),$(shell tr ' ' , <<< '$(PACKAGES)')) -m pytest -q -n 0 $(TESTS)
	@$(BIN)/coverage report --skip-covered --skip-empty --show-missing

security: setup ## Run the tests of what SECURITY.md promises
	@ATOLL_SUITE=all $(BIN)/pytest -n auto --dist loadgroup -m security

fuzz: setup ## Fuzz the compiler for a minute (FOR=600 for ten, SEED=1 to repeat one)
	@$(BIN)/python -m tests.language.fuzz --seconds $(or $(FOR),60) $(if $(SEED),--seed $(SEED))

model: setup ## Search through every state of the commit protocol's small worlds, and some thousand ways of the larger one (hours)
	@ATOLL_SUITE=all ATOLL_MODEL=all $(BIN)/pytest -rP -n auto --timeout 14400 tests/protocol

faults: setup ## Break the reference program for five minutes (FOR=600 for ten, SEED=1 to repeat one, COVER=1 in every place, CAPTURE=1 with a captured table, DEPLOYED=1 as it is deployed)
	@$(BIN)/python -m tests.faults --seconds $(or $(FOR),300) $(if $(SEED),--seed $(SEED)) $(if $(COVER),--cover) \
		$(if $(CAPTURE),--capture) $(if $(FRESH),--fresh) $(if $(DEPLOYED),--deployed)

lint: setup ## Check style, formatting, import contracts and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy $(PACKAGES) tests

audit: setup ## Look up known vulnerabilities of all locked packages (STRICT=1: red also when that cannot be done)
	@$(BIN)/python -m tests.security.audit $(if $(STRICT),--strict)

format: setup ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

pr: lint audit test test-deep ## Run everything that a change has to pass

bench: setup ## Run the benchmarks and print their figures
	@$(BIN)/python -m benchmarks

lock: setup ## Choose new versions within pyproject.toml's bounds and write requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra local --group dev --generate-hashes --python-version 3.11 \
		--excludes <(printf 'pandas\n') --upgrade --quiet --no-header --output-file requirements.lock

clean: ## Stop the embedded AWS and delete everything that was installed, built or stored here
	@if [ -d .atoll ] && [ -x $(BIN)/python ]; then \
		$(BIN)/python -c 'import pathlib, infra.embedded; infra.embedded.down(pathlib.Path(), print)'; fi
	rm -rf .venv node_modules .atoll cdk.out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON_STAMP): requirements.lock pyproject.toml $(ATOLL)
	@[ -n "$(PYTHON)" ] || { echo "Atoll needs Python 3.11 or later on the PATH: https://www.python.org/downloads/" >&2; exit 1; }
	@[ -x $(BIN)/python ] || echo "making .venv with $(PYTHON)"
	$(call quietly,making .venv,[ -x $(BIN)/python ] || "$(PYTHON)" -m venv .venv)
	@echo "installing the Python packages of requirements.lock; what that says is in $(LOG)"
	$(call quietly,installing uv,$(BIN)/python -m pip install --disable-pip-version-check $(UV))
	$(call quietly,installing packages,VIRTUAL_ENV=.venv $(BIN)/uv pip sync --compile-bytecode --require-hashes requirements.lock)
	$(call quietly,installing Atoll,VIRTUAL_ENV=.venv $(BIN)/uv pip install --no-deps --editable .)
	@[ -x $(ATOLL) ] && touch $@

$(NODE_STAMP): package-lock.json $(CDK)
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
		|| { echo "Atoll needs Node 20 or later on the PATH: https://nodejs.org/en/download" >&2; exit 1; }
	@echo "installing the CDK command of package-lock.json"
	$(call quietly,installing the CDK command,npm ci --no-audit --no-fund)
	@[ -x $(CDK) ] && touch $@

# Where one of these is missing, what made it is done again.
$(ATOLL) $(CDK):
