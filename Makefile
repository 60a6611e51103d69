# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000

# Each process runs whole files, so that it starts each server once.
PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile
PYTEST := $(BIN)/coverage run -m pytest $(PARALLEL)

.PHONY: demo serve screenshots test test-slow test-all coverage check lint types layers bench performance soak fuzz compat \
	redis-versions pythons tests-alone transparency field docs package release links clean
# The tests come one after the other, even with `make --jobs`: coverage is that of all.
.NOTPARALLEL:

demo: $(VENV)/demo.stamp
	$(BIN)/python examples/demo.py

serve: $(VENV)/demo.stamp
	$(BIN)/flask --app examples/stdlib_docs.py run --debug --port $(PORT)

# The pictures in docs/, taken in Chromium.
screenshots: $(VENV)/test.stamp
	$(BIN)/python examples/screenshots.py docs

test: $(VENV)/test.stamp
	$(BIN)/coverage erase
	$(PYTEST) -m 'not slow'

test-slow: $(VENV)/test.stamp
	$(PYTEST) -m slow

# What `test` and `test-slow` have run together.
coverage: $(VENV)/test.stamp
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-all: test test-slow coverage

check: lint types layers test-all

lint: $(VENV)/check.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/check.stamp
	$(BIN)/mypy
	$(BIN)/basedpyright

layers: $(VENV)/check.stamp
	$(BIN)/lint-imports

# WORKS='hits misses' measures only these.
bench: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.performance $(WORKS)

# Everything at length, and docs/performance.md. It needs a machine that does nothing else.
performance: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.performance --write

SOAK_SECONDS ?= 600
# Wrong pages, and then whether memory grows.
soak: $(VENV)/test.stamp
	$(BIN)/python benchmarks/soak.py
	$(BIN)/python benchmarks/soak.py --processes 4 --threads 16 --stale 2
	$(BIN)/python benchmarks/soak.py --processes 4 --threads 16 --near 2
	$(BIN)/python benchmarks/soak.py --processes 4 --threads 16 --near 2 --store memcached
	$(BIN)/python -m benchmarks.memory_soak --seconds $(SOAK_SECONDS) \
		--picture docs/memory-soak.svg

FUZZ_SECONDS ?= 60
# Where atheris can't be installed, it is skipped.
fuzz: $(VENV)/fuzz.stamp
	$(BIN)/python benchmarks/fuzz_compiler.py -max_total_time=$(FUZZ_SECONDS) -max_len=400 \
		-timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1

REDIS_VERSIONS ?= 5.0.0 6.4.0 7.4.0 8.1.0
OF_REDIS := tests/stores tests/access tests/flask/test_redis_backends.py \
	tests/test_secrets.py tests/test_garbled_replies.py tests/test_down.py
# The tests of what uses redis-py, with its oldest version, and those of later years.
# Version 5.0.0 leaves sockets that did not connect to the garbage collector, and 7.4.0
# uses what it warns of itself.
redis-versions: $(REDIS_VERSIONS:%=$(VENV)/redis-%)
	for each in $^; do \
		PYTHONPATH=$(CURDIR)/$$each $(BIN)/python -m pytest -m 'not slow' $(PARALLEL) \
			$(OF_REDIS) -W ignore::ResourceWarning -W ignore::DeprecationWarning \
			-W ignore::pytest.PytestUnraisableExceptionWarning || exit; \
	done

# Only redis-py itself, which takes the place of the environment's.
$(VENV)/redis-%: $(VENV)/test.stamp
	rm -rf $@
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--target $@ 'redis==$*'

# Flask-Caching's own tests, which are downloaded.
compat: $(VENV)/compat.stamp
	$(BIN)/python tests/compat/run.py

# Downloads Jinja's own tests, and programs with templates of their own.
transparency: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.transparency

# Downloads three applications.
field: $(VENV)/test.stamp
	$(BIN)/python -m benchmarks.guard_in_the_field

# The site of docs/, in build/docs. A warning is an error.
docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet \
		--doctree-dir build/doctrees docs build/docs
	@echo 'Open build/docs/index.html'

clean:
	rm -rf $(VENV) build/docs build/doctrees

# Pythons that are not there are skipped. PYTHONS='python3.12 /opt/python/bin/python' names others.
PYTHONS ?= python3.11 python3.12 python3.13
TESTS ?= -m 'not slow'
# The tests on each of them, in an environment of its own. TESTS= runs the slow ones, too.
pythons:
	@ran=; for each in $(PYTHONS); do \
		version=$$($$each -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) \
			|| { echo "$$each: skipped, it is not there"; continue; }; \
		$(MAKE) --no-print-directory tests-alone VENV=$(VENV)/python-$$version PYTHON=$$each \
			|| exit; \
		ran=yes; \
	done; test "$$ran" || { echo 'None of $(PYTHONS) is there.'; exit 1; }

# Without coverage, which is that of one Python.
tests-alone: $(VENV)/test.stamp
	$(BIN)/python --version
	$(BIN)/python -m pytest $(PARALLEL) -p no:cacheprovider $(TESTS)

# The wheel and the sdist, in dist/, tried in new environments.
package: $(VENV)/package.stamp
	$(BIN)/python -m tests.release.build_package
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m tests.release.try_package $(PYTHONS)

# The same, if all is ready for an upload. docs/releasing.md is the whole way.
release: $(VENV)/package.stamp
	$(BIN)/python -m tests.release.release_problems
	$(MAKE) package

# Asks every address that the documentation links to.
links: $(VENV)/package.stamp
	$(BIN)/python -m tests.release.outside_links

# Installs the group that the stamp is named after, and again when it may have changed.
$(VENV)/%.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group $*
	touch $@
