# Two commands do everything from a bare checkout: `make demo` and `make test`. Neither needs root, conda or a GPU.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A file's tests share what takes long to make, so they run in one process; the longest files come first (pyproject.toml).
PYTEST := pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 12
# The lock is exact, so nothing is left to resolve: its parts are unpacked side by side, and checked together afterwards.
# Python compiles what it imports when it does; to compile all packages would take as long again.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Empty, since set-up compiles nothing: where a shell says that Python must not write bytecode, it would compile what it
# imports again and again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo demo-all board test test-slow soak bench lint audit docs crate extractors models environments format clean

demo: $(VENV)/.installed  ## train one run, sample, score and draw at scale demo; a few minutes on 2 cores
	python -m atebm warm snakemake --cores all results/table2.csv results/fig1.png results/figS2.png --config scale=demo --quiet reason
	@echo
	@python -m atebm headline table2
	@echo "Another machine gives other numbers (docs/explanation/results.md); 'git checkout results' brings back the committed ones."
	@echo "Look at results/table2.md, results/fig1.png, results/figS2.png and results/notebooks/; 'make demo-all' draws the rest."

demo-all: $(VENV)/.installed  ## every figure and table at scale demo; about 27 minutes on 2 cores
	python -m atebm warm snakemake --cores all --config scale=demo --quiet reason
	@echo
	@echo "Look at results/, and at the notebooks in results/notebooks/."

board: $(VENV)/.installed  ## the evidence: everything on twelve seeds, and what these say of the paper's claims; hours on 2 cores
	python -m atebm warm snakemake --cores all --config scale=board --quiet reason
	@echo
	@cat results/scales/board/claims.md

test: $(VENV)/.installed  ## the tests that a change needs; 15 minutes on 2 idle cores
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed  ## the tests that few changes need
	$(PYTEST) -m slow

soak: $(VENV)/.installed  ## the fault suite for longer: 60 kills, 10,000 damaged inputs for each target of the fuzzing
	KILLS=9 FUZZ_EXAMPLES=10000 pytest -n 2 --dist worksteal tests/workflow/test_kill.py tests/faults tests/fuzz

bench: $(VENV)/.installed benchmarks/.peers/.installed  ## speed and memory beside other programs; 25 minutes on 2 idle cores
	python benchmarks/bench.py

lint: $(VENV)/.installed  ## formatting, types, workflow, container
	ruff check
	ruff format --check
	mypy
	bandit --quiet --recursive --severity-level medium src
	snakefmt --check workflow
	snakemake --lint
	hadolint Dockerfile

# Strict: a registry that has no advisories makes it fail, where pip-audit would else say that it found nothing.
audit: $(VENV)/.installed  ## a report: pinned packages with known vulnerabilities; wants pypi.org itself
	pip-audit --requirement requirements.lock --no-deps --disable-pip --strict

docs: $(VENV)/.installed  ## bring what is generated in the documentation up to date with results/, and build site/
	python -m atebm docs
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

crate: $(VENV)/.installed  ## ro-crate-metadata.json: the results and their run, for programs
	python -m atebm crate

extractors: $(VENV)/.installed  ## train the embedded extractors again, and say how far off they are; nothing is overwritten
	python -m atebm extractors

models: $(VENV)/.installed  ## copy the models that notebooks and examples use from work/ to models/, which lies in git
	python -m atebm publish-models --config scale=demo

environments: $(VENV)/.installed  ## bring the conda environments up to date with requirements.lock
	python -m atebm environments

format: $(VENV)/.installed  ## what `make lint` would complain of
	ruff check --fix
	ruff format
	snakefmt workflow

clean:  ## remove what was computed, not what is committed
	rm -rf work logs .snakemake

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name one: make PYTHON=python3.12 ...")'
	@PYTHONPATH=src $(PYTHON) -m atebm.maintenance.place
	$(PYTHON) -m venv $(VENV)
	awk '{ print > ("$(VENV)/part" NR % 16 ".txt") }' requirements.lock
	ls $(VENV)/part*.txt | xargs -P 2 -n 1 $(INSTALL) -r
	$(INSTALL) --editable .
	$(BIN)/python -m pip check
	touch $@

# Without a network these peers are missing, and what is compared with them is not measured.
benchmarks/.peers/.installed: benchmarks/peers.txt | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(@D) -r $< && touch $@ || true
