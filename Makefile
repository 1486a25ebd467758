# Everything a newcomer needs: `make demo`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= demo
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install dev demo test lint bench docs clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "expected: Python 3.11 or newer\nfound: Python %d.%d\nwhat to do: make install PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --no-compile --no-warn-conflicts --constraint constraints.txt --editable .
	# only the weight files inside this package are used, so none of what its code needs is installed
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --no-deps spliceai
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --no-warn-conflicts --constraint constraints.txt --group dev
	@touch $@

install: $(VENV)/.installed  ## make .venv with the command .venv/bin/meta-spliceai

dev: $(VENV)/.dev  ## the same, with the tools for tests and lint

demo: $(VENV)/.installed  ## run the main job on the bundled example; results in demo/
	$(BIN)/meta-spliceai demo --out $(DEMO)

test: $(VENV)/.dev  ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

lint: $(VENV)/.dev  ## style, types and import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## benchmarks; each prints a ratio measured in one run
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.dev  ## write the generated pages of docs/reference
	$(BIN)/python docs/generate.py

clean:  ## remove the environment and the demo's results
	rm -rf $(VENV) $(DEMO)
