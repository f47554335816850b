# Two commands do everything on a fresh machine: `make run` and `make test`. Each makes .venv and installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ASSETS := gateway/web/static/vendor/VENDOR.json
PORT ?= 8080
FUZZ ?= 50
IPDATA ?= ../shared/ipdata

.DEFAULT_GOAL := help
.PHONY: help assets pictures run demo test lint format bench load soak fuzz drill rolling compose flags mutants coverage-table constraints clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(STAMP) $(ASSETS) ## start the demo world and serve it on 127.0.0.1:8080 until Ctrl-C
	@$(BIN)/ipx-gateway demo --port $(PORT)

demo: $(STAMP) $(ASSETS) ## play the demo story once, on a free port, and say what happened
	@$(BIN)/ipx-gateway demo --once

test: $(STAMP) $(ASSETS) ## run the test suite on SQLite and on PostgreSQL
	@echo "== tests (SQLite and PostgreSQL)"
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(TESTS)

lint: $(STAMP) ## ruff, mypy, import rules
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy
	@echo "== imports"
	@$(BIN)/lint-imports

format: $(STAMP) ## let ruff write the code as it likes it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure: ratios side by side from one run, one line each
	@$(BIN)/python -m tests.bench $(BENCH)

load: $(STAMP) ## ever more connections and records of all sizes, beside the holder's own system (LOAD=--small: a minute)
	@$(BIN)/python -m tests.load $(LOAD)

soak: $(STAMP) ## ten minutes of traffic while one thing after the other breaks; then everything acknowledged is there (SOAK=--small)
	@$(BIN)/python -m tests.soak $(SOAK)

fuzz: $(STAMP) ## call every address of the API with made-up calls: not one may end in 500 (FUZZ=examples for each address)
	@IPX_FUZZ_EXAMPLES=$(FUZZ) IPX_FUZZ_SEED=$${IPX_FUZZ_SEED:-$$(date +%s)} $(BIN)/pytest -q -s tests/observing/test_openapi.py -k made_up

flags: $(STAMP) ## how many planted oddities do flags find, and how many false alarms are there?
	@$(BIN)/python -m tests.flags 5

mutants: $(STAMP) ## do the tests notice when the offline verifier refuses less? (minutes; MUTANTS=--small: a sample)
	@$(BIN)/python -m tests.mutants $(MUTANTS)

drill: $(STAMP) ## a minute of traffic while token keys are rotated: not one call may fail
	@$(BIN)/python -m tests.drill

rolling: $(STAMP) ## a minute of traffic while two nodes behind nginx are restarted in turn: not one call may fail
	@$(BIN)/python -m tests.operation.rolling

compose: $(STAMP) ## compose.yaml and systemd's units as the operators' guide says, on a container engine (minutes; needs Docker)
	@$(BIN)/python -m tests.compose $(COMPOSE)

coverage-table: $(STAMP) ## write docs/coverage.md: which pack reads which of the real files (IPDATA=folder)
	@$(BIN)/ipx-gateway source coverage $(IPDATA) --notes docs/coverage.toml --on 2026-11-25 > docs/coverage.md

pictures: $(STAMP) $(ASSETS) ## take the pictures of the guides anew (needs chromium)
	@IPX_PICTURES=docs/pictures $(BIN)/pytest -q tests/browser/test_pictures.py tests/browser/test_administrator_story.py

assets: $(ASSETS) ## build styles and scripts of the consoles, where they are missing or older than frontend/

constraints: $(STAMP) ## pin every dependency again, with hashes, from pyproject.toml
	@$(BIN)/pip-compile --quiet --upgrade --generate-hashes --all-extras --allow-unsafe --strip-extras \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-options --no-emit-find-links --no-header --output-file constraints.txt pyproject.toml

clean: ## remove what was built; the demo's data in var/ too
	@rm -rf $(VENV) frontend/node_modules gateway/web/static/vendor var build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(STAMP): constraints.txt pyproject.toml
	@echo "== installing into $(VENV) (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --disable-pip-version-check >/dev/null || $(BIN)/python -m pip check --disable-pip-version-check
	@touch $@

$(ASSETS): $(wildcard frontend/src/*) frontend/build.mjs frontend/package.json frontend/package-lock.json | $(STAMP)
	@echo "== building the front end"
	@$(BIN)/python hatch_build.py
	@touch $@
