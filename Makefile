# Two commands do everything from a bare checkout: `make demo` and `make test`. Neither needs root, conda or a GPU.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The tests of a file share slow fixtures, so they run in one process; the longest files come first (pyproject.toml).
PYTEST := pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 12
# The lock is exact, so nothing needs resolving: its parts are installed in parallel and checked together afterwards.
# Python compiles modules on import; compiling all packages here would double the time.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Empty, because set-up compiles nothing: with this set in a shell, Python would compile its imports again in each run.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo demo-all board test test-slow soak bench lint audit docs crate extractors models environments format clean

demo: $(VENV)/.installed  ## train one run, sample, score and draw at the demo scale; a few minutes on 2 cores
	python -m atebm warm snakemake --cores all results/table2.csv results/fig1.png results/figS2.png --config scale=demo --quiet reason
	@echo
	@python -m atebm headline table2
	@echo "Numbers differ between machines (docs/explanation/results.md); 'git checkout results' restores the committed ones."
	@echo "See results/table2.md, results/fig1.png, results/figS2.png and results/notebooks/; 'make demo-all' draws the rest."

demo-all: $(VENV)/.installed  ## draw every figure and table at the demo scale; about 27 minutes on 2 cores
	python -m atebm warm snakemake --cores all --config scale=demo --quiet reason
	@echo
	@echo "See results/, and the notebooks in results/notebooks/."

board: $(VENV)/.installed  ## test the paper's claims on twelve seeds; hours on 2 cores
	python -m atebm warm snakemake --cores all --config scale=board --quiet reason
	@echo
	@cat results/scales/board/claims.md

test: $(VENV)/.installed  ## run the tests that every change needs; 15 minutes on 2 idle cores
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/.installed  ## run the tests that few changes need
	$(PYTEST) -m slow

soak: $(VENV)/.installed  ## run the fault tests for longer: 60 kills, 10,000 damaged inputs for each fuzzing target
	KILLS=9 FUZZ_EXAMPLES=10000 pytest -n 2 --dist worksteal tests/workflow/test_kill.py tests/faults tests/fuzz

bench: $(VENV)/.installed benchmarks/.peers/.installed  ## compare speed and memory with other programs; 25 minutes on 2 idle cores
	python benchmarks/bench.py

lint: $(VENV)/.installed  ## check formatting, types, the workflow and the container
	ruff check
	ruff format --check
	mypy
	bandit --quiet --recursive --severity-level medium src
	snakefmt --check workflow
	snakemake --lint
	hadolint Dockerfile

# Strict: it fails if a registry has no advisories; otherwise pip-audit would report that it found nothing.
audit: $(VENV)/.installed  ## report pinned packages with known vulnerabilities; needs pypi.org itself
	pip-audit --requirement requirements.lock --no-deps --disable-pip --strict

docs: $(VENV)/.installed  ## update the generated parts of the documentation from results/, and build site/
	python -m atebm docs
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

crate: $(VENV)/.installed  ## write ro-crate-metadata.json, which describes the results and their run for programs
	python -m atebm crate

extractors: $(VENV)/.installed  ## train the embedded extractors again and compare; nothing is overwritten
	python -m atebm extractors

models: $(VENV)/.installed  ## copy the models that notebooks and examples use from work/ to models/, which is in git
	python -m atebm publish-models --config scale=demo

environments: $(VENV)/.installed  ## update the conda environments from requirements.lock
	python -m atebm environments

format: $(VENV)/.installed  ## fix what `make lint` would report about formatting
	ruff check --fix
	ruff format
	snakefmt workflow

clean:  ## remove computed files, but no committed ones
	rm -rf work logs .snakemake

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed, but this is " + sys.version.split()[0] + "; name a newer one: make PYTHON=python3.12 ...")'
	@PYTHONPATH=src $(PYTHON) -m atebm.maintenance.place
	$(PYTHON) -m venv $(VENV)
	awk '{ print > ("$(VENV)/part" NR % 16 ".txt") }' requirements.lock
	ls $(VENV)/part*.txt | xargs -P 2 -n 1 $(INSTALL) -r
	$(INSTALL) --editable .
	$(BIN)/python -m pip check
	touch $@

# Without a network these peers are missing, and comparisons with them are left out.
benchmarks/.peers/.installed: benchmarks/peers.txt | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(@D) -r $< && touch $@ || true
