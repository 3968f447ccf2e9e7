# One virtual environment for all targets; each installs only what it needs and has not yet.
# The stamps in it make a second call start at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := .ci/constraints.txt
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --constraint $(CONSTRAINTS)

# What the core is compiled of: where it changes, the package is installed anew.
CORE := hatch_build.py $(wildcard neuroact/native/*.cpp neuroact/native/*.h)

# Says in one line that the core is missing, and why, where it is.
SAY_MISSING = @$(BIN)/python -c "from neuroact.native import why_missing; why = why_missing(); \
  print(f'neuroact works without its compiled core, slower: {why}') if why else None"

.PHONY: help demo test bench sanitize lint types docs wheel clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-demo ## train a small network on digits and report on it (ARGS="--out DIR")
	$(BIN)/neuroact demo $(ARGS)

test: $(VENV)/.installed-test ## run the tests (ARGS="-k name")
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.installed-test ## what recording costs, beside others (ARGS="forward --network GSC")
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore tests/benchmarks/bench.py $(ARGS)

sanitize: $(VENV)/.installed-test ## test the compiled core with GCC's sanitisers
	$(BIN)/python tests/native/sanitize.py

lint: $(VENV)/.installed-lint ## style and format of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-lint ## mypy --strict
	$(BIN)/mypy

docs: $(VENV)/.installed-docs ## build the site into build/docs (build/docs/index.html)
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet \
	  --fresh-env --doctree-dir build/doctrees docs build/docs

wheel: $(BIN)/pip ## build the wheel into dist/ and check what is in it
	rm -rf dist
	$(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --wheel-dir dist .
	$(BIN)/python .ci/check_wheel.py dist/*.whl

clean: ## remove what these targets made
	rm -rf .venv .venv-* neuroact-demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f neuroact/native/*.so neuroact/native/*.pyd neuroact/native/_missing.txt

# pip is the last thing that venv puts there: a venv that was cut short is made anew.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "neuroact needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	  exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

# --editable: a change of the sources needs no new install.
$(VENV)/.installed-demo: pyproject.toml $(CONSTRAINTS) $(CORE) | $(BIN)/pip
	$(INSTALL) --editable ".[demo]"
	$(SAY_MISSING)
	@touch $@

# The extra `test` holds all of `demo`.
$(VENV)/.installed-test: pyproject.toml $(CONSTRAINTS) $(CORE) | $(BIN)/pip
	$(INSTALL) --editable ".[test]"
	$(SAY_MISSING)
	@touch $(VENV)/.installed-demo $@

$(VENV)/.installed-lint: $(VENV)/.installed-test
	$(INSTALL) --editable ".[test,lint]"
	@touch $@

$(VENV)/.installed-docs: pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) --editable ".[docs]"
	@touch $@
