# Everything a contributor does. On a fresh machine: `make demo`, then `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
EXAMPLE ?= quickstart
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: help setup demo test lint types generate engine e2e corpus bench clean

help:  ## this list
	@sed -nE 's/^([a-z0-9]+):.*##(.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(STAMP)  ## a virtual environment with venvsmith and its tools

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable . --group dev
	@touch $@

demo: $(STAMP)  ## lock, render, build (no Docker) and verify examples/$(EXAMPLE)
	scripts/demo.sh $(BIN)/venvsmith $(EXAMPLE)

test: $(STAMP)  ## the tests; with a Docker engine running, those that need it too
	$(BIN)/python -m pytest -m "not e2e"

lint: $(STAMP)  ## ruff, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP)  ## mypy --strict
	$(BIN)/mypy

generate: $(STAMP)  ## what is generated from the code: schemas and reference pages
	$(BIN)/python scripts/generate.py

engine:  ## a Docker engine and the tests' base images (root on Debian)
	scripts/engine.sh

e2e: $(STAMP)  ## the whole WhisperX stack through both engines; needs 30 GB
	$(BIN)/python -m pytest -m e2e -s

corpus: $(STAMP)  ## build the corpus of broken and healthy images and score verify on it
	$(BIN)/python scripts/corpus.py

bench: $(STAMP)  ## the figures of benchmarks/README.md
	for each in build registry verify lock layers; do $(BIN)/python benchmarks/$$each.py; done

clean:  ## what builds and tests leave
	rm -rf $(VENV) .venvsmith .pytest_cache .mypy_cache .ruff_cache
