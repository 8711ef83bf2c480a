# `make run` and `make test` are all one needs: each does its own set-up on a fresh Debian
# machine with Python and make, once, and says what takes long.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup run test race check format bench docs screenshots lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

$(VENV)/.created:
	@PYTHON="$(PYTHON)" sh scripts/venv.sh $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.created requirements/runtime.lock pyproject.toml
	@echo "setup: installing placet and what it needs into $(VENV) (half a minute the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -x 'lib2to3|/tests?/' $(VENV)/lib src || true
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.lock
	@echo "setup: installing the tools for tests and checks (half a minute the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.browser: scripts/browser.sh $(VENV)/.created
	@sh scripts/browser.sh
	@touch $@

setup: $(VENV)/.runtime ## .venv with placet in it

run: setup ## a demonstration vendor and server under ./var, on port 8000 (or PORT=...)
	@exec $(BIN)/placet demo var --port $(PORT)

test: $(VENV)/.dev $(VENV)/.browser ## every test, with branch coverage
	@$(BIN)/python scripts/test.py

race: $(VENV)/.dev ## the proof that limits hold, for 30 seconds each (or PLACET_RACE_SECONDS=...)
	@PLACET_RACE_SECONDS=$${PLACET_RACE_SECONDS:-30} $(BIN)/python -m pytest -q tests/proof

check: $(VENV)/.dev ## format, lint, types, import layers, generated pages, and nothing that should not be committed
	@$(BIN)/ruff format --check --quiet . && echo "check: format ok"
	@$(BIN)/ruff check --quiet . && echo "check: lint ok"
	@$(BIN)/mypy && echo "check: types ok"
	@$(BIN)/lint-imports --no-cache && echo "check: import layers ok"
	@$(BIN)/python scripts/generate_docs.py --check && echo "check: generated pages ok"

format: $(VENV)/.dev ## format and mend what ruff can mend
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure, each figure beside its floor (BENCH="--quick" or "--full"; PLOTS=1 publishes)
	@$(BIN)/python -m compileall -q src benchmarks
	@$(BIN)/python benchmarks/run.py $(BENCH) $(if $(PLOTS),--publish docs/performance)

docs: $(VENV)/.dev ## the manual, into build/docs
	@$(BIN)/python scripts/generate_docs.py
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs build/docs
	@echo "docs: build/docs/index.html"

screenshots: $(VENV)/.dev $(VENV)/.browser ## the README's pictures, from a running server, into docs/images
	@$(BIN)/python scripts/screenshots.py

lock: $(VENV)/.dev ## pin anew: names, versions and hashes only
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --upgrade --extra postgresql --extra apprise --group build --output-file requirements/runtime.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --upgrade --extra postgresql --extra apprise --group dev --constraint requirements/runtime.lock \
	  --output-file requirements/dev.lock pyproject.toml

clean: ## forget the virtual environment, build and caches (./var stays)
	@rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.*
