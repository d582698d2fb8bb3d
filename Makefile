# `make help` lists the targets. Needs Python >= 3.11 with pip and venv; everything else goes into .venv.
# PYTHON=/path/to/python chooses the interpreter that .venv is made from.

.DEFAULT_GOAL := help
.PHONY: help demo test check test-deep test-gpu benchmark bench-guard clean system-packages
.DELETE_ON_ERROR:

SHELL := /bin/sh

# Some thousand processes of the tests import the same modules: what Python has compiled is kept, whatever the caller's environment says.
unexport PYTHONDONTWRITEBYTECODE

# Debian packages that some tests need; those tests are skipped where one is missing, but not under CI=true.
SYSTEM_PACKAGES := chromium-headless-shell fonts-dejavu-core iproute2 openssh-client openssh-server strace

# The candidates are run, not only looked up: a version manager's stand-in may be there without a Python behind it.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
IS_RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(IS_RECENT)' 2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
# Python compiles what is imported, and keeps it; compiling all of torch and its like at once takes a minute.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile
WORKERS := 3

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed-demo ## Install, and run the Iris sweep
	@$(BIN)/asyncsweep demo

test: $(VENV)/installed-dev system-packages ## All tests but the long ones
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

# The browser that people have, too.
test-deep: SYSTEM_PACKAGES += chromium
test-deep: $(VENV)/installed-dev system-packages ## All tests, the long ones too
	ASYNCSWEEP_DEEP=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not gpu"

# A check that is left out has not passed: without a GPU this fails, before it installs anything.
test-gpu: ## The checks that need an NVIDIA GPU; what they saw goes to docs/gpu.md
	@nvidia-smi --list-gpus || { echo "make test-gpu: nvidia-smi does not work here; these checks need an NVIDIA GPU and its driver." >&2; exit 1; }
	@$(MAKE) --no-print-directory $(VENV)/installed-dev
	$(BIN)/python -m pytest -p no:xdist -m gpu tests/gpu

check: $(VENV)/installed-dev ## Lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

benchmark: $(VENV)/installed-dev ## Measure the overhead, beside Optuna and a hand-written loop
	$(BIN)/python -m benchmarks run overhead

bench-guard: $(VENV)/installed-dev system-packages ## Count what a trial costs; fail where it has grown
	$(BIN)/python -m benchmarks.guard

clean: ## Remove what these targets made
	rm -rf $(VENV) build dist demo-sweep .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run start at once; a changed pyproject.toml installs again. Developers get the plugins, too.
PLUGINS := $(wildcard plugins/*/pyproject.toml)

$(VENV)/installed-dev: $(PLUGINS)
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[$*]' $(if $(filter dev,$*),$(patsubst %/pyproject.toml,--editable %,$(PLUGINS)))
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c '$(IS_RECENT)' || { echo "$(PYTHON) is not Python >= 3.11; name another with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) lacks venv. Debian and Ubuntu: apt-get install python3-venv" \
	    "(or python3.11-venv, by its version); elsewhere: the package with Python's standard library." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

system-packages:
	@set -- $(SYSTEM_PACKAGES); missing=; \
	for package; do dpkg -s "$$package" >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	test -z "$$missing" && exit 0; \
	if command -v apt-get >/dev/null && test "$$(id -u)" = 0; then as=; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then as=sudo; else as=none; fi; \
	if test "$$as" != none && $$as apt-get update --quiet && $$as apt-get install --yes --quiet --no-install-recommends $$missing; then exit 0; fi; \
	echo "Not installed, and not installable from here:$$missing. The tests that need them are skipped." >&2; \
	test "$$CI" != true
