# Two doors: `make test` and `make demo`. Both make their own virtual environment first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
JOBS ?= 2

.PHONY: test demo check format install clean

test: check
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

# The whole path on real input; the server stays up until Ctrl-C. EXIT=1 checks and stops instead.
demo: install
	$(BIN)/python scripts/demo.py $(if $(EXIT),--exit)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Retia needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv demo-data build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
