# `make results`: from nothing to the tables. `make test`: the tests. Both make .venv themselves.
# `make reference`: several seeds, and everything that is committed of the result;
# `make reference-so-far`: the same of what is finished of it.
# `make verify`: a sample of it again, with the versions of requirements.lock, and what differs.
# `make doctor`: what would stop a configuration from running; `make plan`: what it would cost;
# `make peek`: tables and a front page of what is finished, while the rest runs.
# PYTHON chooses the interpreter (3.11 or newer), SNAKEMAKE_ARGS adds arguments to Snakemake,
# CONFIG_ARGS says which configuration: make doctor CONFIG_ARGS="--configfile config/paper.yaml",
# make reference CONFIG_ARGS="--config records_from=results/earlier".

PYTHON ?= python3
SNAKEMAKE_ARGS ?=
CONFIG_ARGS ?=
VERIFY_ARGS ?=
# Of the explorer's picture: which sliders were moved, as the page's address has it behind #.
EXPLORER_VIEW ?= z.Eyeglasses=1.5
BIN := .venv/bin
LOCKED := .venv-locked

.PHONY: results reference reference-so-far pages verify smoke explorer-picture readme findings summary config-docs counts \
	doctor plan peek benchmark gpu-ladder time-to-number muon export \
	test test-slow test-slurm lint lint-ruff lint-format lint-snakefmt lint-snakemake lint-mypy hooks lock clean

results: .venv/ready
	$(BIN)/snakemake --cores all $(SNAKEMAKE_ARGS)

smoke: .venv/ready
	$(BIN)/snakemake --cores all --configfile config/smoke.yaml $(SNAKEMAKE_ARGS)
	$(BIN)/snakemake --configfile config/smoke.yaml --report results/smoke/report.zip

# Everything that is committed of a result: results/reference/, the README's numbers, the findings,
# the summary. Forced, because a clone comes with what was gathered before.
reference: .venv/ready
	$(BIN)/snakemake --cores all --forcerun reference $(SNAKEMAKE_ARGS) $(CONFIG_ARGS) \
	  --configfile config/reference.yaml -- reference
	$(MAKE) pages

# What is not there is left out, and the pages say so; no training is started.
reference-so-far: .venv/ready
	$(BIN)/python -m workflow.steps.finished $(CONFIG_ARGS) --configfile config/reference.yaml \
	  --out results/evidence/finished.yaml
	$(BIN)/snakemake --cores all --forcerun reference $(SNAKEMAKE_ARGS) $(CONFIG_ARGS) \
	  --configfile config/reference.yaml results/evidence/finished.yaml -- reference
	$(MAKE) pages

# The picture of the explorer stays as it was where there is no Chromium.
pages: .venv/ready
	-$(MAKE) explorer-picture
	$(MAKE) readme findings summary

explorer-picture: .venv/browser
	$(BIN)/python -m workflow.steps.reporting.picture_explorer --view "$(EXPLORER_VIEW)"

verify: $(LOCKED)/ready
	$(LOCKED)/bin/python -m workflow.steps.verify $(VERIFY_ARGS)

readme: .venv/ready
	$(BIN)/python -m workflow.steps.reporting.update_readme

findings: .venv/ready
	$(BIN)/python -m workflow.steps.reporting.make_findings

# One page, and the same as a PDF where LaTeX is.
summary: .venv/ready
	$(BIN)/python -m workflow.steps.reporting.make_summary --pdf results/summary.pdf

# Comments of config/config.yaml, tables of config/README.md, and defaults in the schema.
config-docs: .venv/ready
	$(BIN)/python -m workflow.steps.reporting.config_docs

# The law of the drawn X-rays' findings, from CheXpert's own list: make counts LIST=train.csv
counts: .venv/ready
	$(BIN)/python -m workflow.steps.data.count_findings $(LIST)

doctor: .venv/ready
	$(BIN)/python -m workflow.steps.doctor $(CONFIG_ARGS)

peek: .venv/ready
	$(BIN)/python -m workflow.steps.peek $(CONFIG_ARGS)

plan: .venv/ready
	$(BIN)/python -m workflow.steps.plan $(CONFIG_ARGS)

benchmark: .venv/ready
	$(BIN)/python -m benchmarks.step_cost --out docs/step_cost.md
	$(BIN)/python -m benchmarks.layer_page --out docs/layers.md
	$(BIN)/python -m benchmarks.run --results results/default --out docs/benchmarks.md

# Minutes on a GPU; without one the page says that nothing was measured.
gpu-ladder: .venv/ready
	$(BIN)/python -m benchmarks.gpu_ladder --out docs/gpu.md

# Hours of processor time; stop it at will, and it goes on another day.
time-to-number: .venv/ready
	nice -n 19 $(BIN)/python -m benchmarks.time_to_number --out docs/time_to_number.md

# An hour of processor time; what was measured is kept.
muon: .venv/ready
	nice -n 19 $(BIN)/python -m benchmarks.muon_page --out docs/muon.md

# A trained model for other runtimes: make export RUN=results/default/runs/mnist/ccvae/f=1.0/seed=0
export: .venv/onnx
	$(BIN)/python -m workflow.steps.export $(RUN) --to onnx

test: .venv/ready
	$(BIN)/pytest

# The explorer is tried in Chromium where there is one; where not, its tests say so and are skipped.
# In the order of the files: the longest tests are few in theirs, and would all come at the end.
test-slow: .venv/browser .venv/onnx
	$(BIN)/pytest -m "slow and not gpu and not slurm" --no-loadscope-reorder

# Installs Debian's Slurm where it may; where it cannot, the test is skipped and says what lacks.
test-slurm: .venv/slurm
	tests/slurm/local_slurm.sh install
	$(BIN)/pytest -m slurm -rs tests/slurm

# Each is also a hook before a commit, see .pre-commit-config.yaml.
lint: lint-ruff lint-format lint-snakefmt lint-snakemake lint-mypy

lint-ruff: .venv/lint
	$(BIN)/ruff check .

lint-format: .venv/lint
	$(BIN)/ruff format --check .

lint-snakefmt: .venv/lint
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules

lint-snakemake: .venv/lint
	$(BIN)/snakemake --lint

lint-mypy: .venv/lint
	$(BIN)/mypy

hooks: .venv/lint
	$(BIN)/pre-commit install

# Pins what .venv holds, for every system and Python; run it with the versions of `make reference`.
lock: .venv/lock
	$(BIN)/python -m pip freeze --exclude-editable > .venv/versions.txt
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --constraint .venv/versions.txt --no-annotate --custom-compile-command "make lock" \
	  --quiet --output-file requirements.lock

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install --editable .
	touch $@

.venv/lint: .venv/ready
	$(BIN)/python -m pip install --editable .[lint]
	touch $@

.venv/lock: .venv/ready
	$(BIN)/python -m pip install --editable .[lock]
	touch $@

.venv/browser: .venv/ready
	$(BIN)/python -m pip install --editable .[browser]
	touch $@

.venv/onnx: .venv/ready
	$(BIN)/python -m pip install --editable .[onnx]
	touch $@

.venv/slurm: .venv/ready
	$(BIN)/python -m pip install --editable .[slurm]
	touch $@

$(LOCKED)/ready: requirements.lock
	$(PYTHON) -m venv --clear $(LOCKED)
	$(LOCKED)/bin/python -m pip install --require-hashes --requirement requirements.lock
	$(LOCKED)/bin/python -m pip install --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv $(LOCKED) .snakemake
