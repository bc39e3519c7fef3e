# `make results`: from nothing to the tables. `make test`: the tests. Both make .venv themselves.
# PYTHON chooses the interpreter (3.11 or newer), SNAKEMAKE_ARGS adds arguments to Snakemake.

PYTHON ?= python3
SNAKEMAKE_ARGS ?=
BIN := .venv/bin
# Steps are run as `python -m ...`; they must find the environment's interpreter.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: results smoke test test-slow lint clean

results: .venv/ready
	snakemake --cores all $(SNAKEMAKE_ARGS)

smoke: .venv/ready
	snakemake --cores all --configfile config/smoke.yaml $(SNAKEMAKE_ARGS)
	snakemake --configfile config/smoke.yaml --report results/smoke/report.zip

test: .venv/ready
	pytest

test-slow: .venv/ready
	pytest -m "slow and not gpu and not slurm"

lint: .venv/lint
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	snakemake --lint
	mypy

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install --editable .
	touch $@

.venv/lint: .venv/ready
	$(BIN)/python -m pip install --editable .[lint]
	touch $@

clean:
	rm -rf .venv .snakemake
