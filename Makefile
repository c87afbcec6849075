# make demo   the quick analysis with what this machine has, from a fresh clone
# make images the container images of the analysis, where an engine is there that builds them
# make test   everything that must hold: style, types, tests; installs what they need
# make coverage   the tests, and which lines of the package they reach in any process (a third slower)
# make forms  the dilepton analysis for Snakemake, yadage and REANA in build/forms; see docs/export.md
# make lock   resolve envs/*.in into the locked environments

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
CORES ?= $(shell nproc)
BIN := .venv/bin

.PHONY: help demo images test coverage check engines bench forms lock clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

.venv/run.stamp: requirements/run.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "relance needs Python 3.11 or newer with its venv module: install python3-venv, or say 'make PYTHON=/path/to/python3.12'" >&2; exit 3; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/dev.stamp: requirements/dev.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

# Images need an engine that builds them; exit code 3 means that this machine has none, and plain processes serve.
demo: .venv/run.stamp
	$(BIN)/relance images build || test $$? -eq 3
	$(BIN)/relance run --config quick --cores $(CORES)
	@cat results/quick/fit/limits.txt
	@echo "The plots are in results/quick/fit/plots."

images: .venv/run.stamp
	$(BIN)/relance images build

check: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflows
	$(BIN)/snakemake --lint

# The longest files of tests begin first (tests/conftest.py), so that no core waits at the end. What is measured is the
# tests' own processes; `make coverage` measures those of the commands that they call, too.
test: .venv/dev.stamp
	$(MAKE) --no-print-directory --jobs=2 check engines
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(CORES) --dist loadscope --no-loadscope-reorder --durations=30
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Without root the engines that are missing stay missing, and their tests are skipped; never where CI is set.
engines: .venv/dev.stamp
	tests/machine/prepare.sh || test -z "$${CI:-}"
	$(BIN)/relance images build || test -z "$${CI:-}"

coverage: export RELANCE_MEASURE := processes
coverage: test

# IMAGES says what a registry calls the images: IMAGES="--image generation=… --image analysis=…".
CONFIG ?= quick
IMAGES ?=
forms: .venv/run.stamp
	rm -rf build/forms
	for form in snakemake yadage reana; do \
		$(BIN)/relance export --as $$form . build/forms/$$form --config $(CONFIG) $(IMAGES); done

lock: .venv/dev.stamp
	$(BIN)/python envs/lock.py

bench: .venv/dev.stamp
	$(BIN)/python bench/analysis.py
	$(BIN)/python bench/capture.py
	$(BIN)/python bench/recast.py
	$(BIN)/python bench/engines.py

clean:
	rm -rf .venv .envs .snakemake results
