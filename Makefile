# `make` alone lists what there is. Nothing needs to be installed beforehand but Python 3.11 or newer;
# with Go 1.26 or newer, the tests and the demo also get a real livekit-server.

.DEFAULT_GOAL := help
.PHONY: help install test test-slow test-compiled wheel-compiled installed-compiled fuzz fuzz-atheris bench bench-media lint format demo livekit-server livekit-servers browser namespaces servers-for-tests clean distclean
.SUFFIXES:

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed

# The server that every test runs against, and the older ones of the `livekit_versions` suite.
LIVEKIT_VERSION := 1.13.5
LIVEKIT_OLDER := 1.8.4 1.9.12 1.11.0

# A test that hangs for so many seconds ends the run and shows where it hangs.
HANG := -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true

# Extra arguments for pytest: make test ARGS="-k link"
ARGS :=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(INSTALLED): pyproject.toml constraints.txt
	@if ! $(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python=$$(tools/find-python) || exit 1; \
		echo "Making $(VENV) with $$python …"; \
		"$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@echo "Installing kitwire and what its tests need into $(VENV) (once) …"
	@$(PIP) install -q -c constraints.txt hatchling editables
	@$(PIP) install -q -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

install: $(INSTALLED) ## Set up .venv (all other targets do so themselves)

test: lint ## Run lint, types, purity and all tests but the slow ones (ARGS="…" goes to pytest)
	@$(MAKE) --no-print-directory servers-for-tests
	@$(PY) -m pytest $(HANG) -m "not slow" $(ARGS)

test-slow: $(INSTALLED) ## Run the slow tests: long scenes with media, a browser, figures beside others
	@$(MAKE) --no-print-directory servers-for-tests
	@$(PY) -m pytest $(HANG) -m slow $(ARGS)

wheel-compiled: $(INSTALLED) ## Build the wheel whose codec is compiled with mypyc, into dist/ (needs a C compiler)
	@rm -rf dist/compiled
	@KITWIRE_COMPILE=1 $(PIP) wheel -q --no-deps --no-build-isolation -w dist/compiled .
	@ls dist/compiled/*.whl

# That wheel where it can be put before the sources: PYTHONPATH=dist/installed.
installed-compiled: wheel-compiled
	@rm -rf dist/installed
	@$(PIP) install -q --no-deps --target dist/installed dist/compiled/*.whl

test-compiled: installed-compiled ## Run the core's tests on that wheel, and see that it is fast (ARGS="…" goes to pytest)
	@KITWIRE_EXPECT_CODEC=compiled PYTHONPATH=dist/installed \
		$(PY) -m pytest $(HANG) -m "not slow" tests/core tests/fuzz $(ARGS)
	@KITWIRE_EXPECT_CODEC=compiled PYTHONPATH=dist/installed \
		$(PY) -m pytest $(HANG) -m slow tests/tools/test_wire_figures.py

fuzz: $(INSTALLED) ## Compare the codec with its witnesses on a million frames each (a quarter of an hour)
	@KITWIRE_MUTATIONS=1000000 KITWIRE_GENERATED=1000000 $(PY) -m pytest -m slow tests/fuzz $(ARGS)

# Seconds that atheris looks for inputs.
FUZZ_SECONDS := 1800

fuzz-atheris: $(INSTALLED) ## Let atheris look for frames that break the codec (FUZZ_SECONDS="…"), and keep what it finds
	@$(PIP) install -q -c constraints.txt atheris
	@rm -rf build/corpus build/smallest && mkdir -p build/smallest
	@$(PY) -m tests.fuzz.corpus unpack build/corpus
	@$(PY) -m tests.fuzz.under_atheris build/corpus -verbosity=0 -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
		-artifact_prefix=build/
	@$(PY) -m tests.fuzz.under_atheris build/smallest build/corpus -merge=1 -max_len=4096 -verbosity=0
	@$(PY) -m tests.fuzz.corpus pack build/smallest

bench: installed-compiled ## Measure the wire beside others, into bench/results.md (a quarter of an hour)
	@$(PY) -m bench --compiled dist/installed $(ARGS)

bench-media: $(INSTALLED) ## Measure rooms with media beside the official SDK, into bench/media.md
	@tools/livekit-server $(LIVEKIT_VERSION) >/dev/null
	@$(PY) -m bench.media

# With KITWIRE_REQUIRE_LIVEKIT=1 every server must be there; otherwise tests skip where theirs is not.
servers-for-tests:
	@if [ "$${KITWIRE_REQUIRE_LIVEKIT:-0}" != 0 ]; then \
		$(MAKE) --no-print-directory livekit-servers; \
	elif tools/find-go >/dev/null 2>&1; then \
		$(MAKE) --no-print-directory livekit-server || \
			echo "livekit-server could not be built: tests that need it will be skipped." >&2; \
	else \
		echo "No Go 1.26 or newer: tests that need a livekit-server which is not built yet will be skipped." >&2; \
	fi

lint: $(INSTALLED) ## Check style (ruff), types (mypy --strict) and layers (import-linter)
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()' --no-logo

format: $(INSTALLED) ## Rewrite the code in our style (ruff)
	@$(PY) -m ruff check --fix-only
	@$(PY) -m ruff format

demo: ## Let an asyncio and a trio participant meet on a real livekit-server, and talk
	@tools/livekit-server $(LIVEKIT_VERSION) >/dev/null
	@$(MAKE) --no-print-directory install
	@$(PY) demo/run.py --server-binary "$$(tools/livekit-server $(LIVEKIT_VERSION))" \
		--picture .demo/received.png

livekit-server: ## Build the livekit-server that tests use with Go, and print its path
	@tools/livekit-server $(LIVEKIT_VERSION)
	@tools/livekit-test-server $(LIVEKIT_VERSION) >/dev/null

livekit-servers: ## Build that and the older ones of the livekit_versions suite
	@tools/livekit-server $(LIVEKIT_VERSION) $(LIVEKIT_OLDER)
	@tools/livekit-test-server $(LIVEKIT_VERSION)

browser: ## Install LiveKit's JS client and Chromium for the browser tests, and print Chromium's path
	@tools/browser

namespaces: ## Install ip and iptables for the tests in network namespaces, and print their paths
	@tools/namespaces

clean: ## Remove caches and builds
	@rm -rf build dist .demo .browser/artefacts .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find src adapters tests proto demo tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## Remove also .venv, the livekit-servers and the browser tests' .browser
	@rm -rf $(VENV) .livekit .browser
