# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000

.PHONY: demo serve test check lint types layers bench soak clean

demo: $(VENV)/demo.stamp
	$(BIN)/python examples/demo.py

serve: $(VENV)/demo.stamp
	$(BIN)/flask --app examples/stdlib_docs.py run --port $(PORT)

test: $(VENV)/test.stamp
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

check: lint types layers test

lint: $(VENV)/check.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/check.stamp
	$(BIN)/mypy
	$(BIN)/basedpyright

layers: $(VENV)/check.stamp
	$(BIN)/lint-imports

bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/hit_path.py
	$(BIN)/python benchmarks/misses.py
	$(BIN)/python benchmarks/lists.py
	$(BIN)/python benchmarks/memory_store.py
	$(BIN)/python benchmarks/file_store.py

soak: $(VENV)/test.stamp
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/soak.py --processes 4 --threads 16 --stale 2

clean:
	rm -rf $(VENV)

# Installs the extra that the stamp is named after, and again when it may have changed.
$(VENV)/%.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@
