# Every target sets itself up: Python 3.11 or newer and make are all it takes.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DOCS := .venv/.installed-docs

.PHONY: quickstart test test-all lint docs notebooks notebooks-smoke bench clean

quickstart: $(INSTALLED)  ## train, evaluate, export, check and predict, in under five minutes
	$(BIN)/lstm-apps quickstart

test: $(INSTALLED)  ## of the export matrix so many combinations that every pair occurs
	$(BIN)/pytest -n 2 --dist worksteal

test-all: $(INSTALLED)  ## every combination
	$(BIN)/pytest -n 2 --dist worksteal --all-combinations

lint: $(INSTALLED)  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(DOCS)  ## the documentation, into site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

notebooks: $(INSTALLED)  ## run them all, and keep no output
	$(BIN)/python notebooks/run.py

notebooks-smoke: $(INSTALLED)  ## a few steps of each training, on little data: does every cell run?
	$(BIN)/python notebooks/run.py --smoke

bench: $(INSTALLED)  ## prints JSON; nothing else should run meanwhile
	$(BIN)/python benchmarks/layer_speed.py
	$(BIN)/python benchmarks/export_peers.py

clean:
	rm -rf .venv build site *.egg-info

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed, for TensorFlow; name it: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -e '.[test]'
	touch $@

$(DOCS): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -e '.[docs]'
	touch $@
