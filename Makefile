# The tasks of this project. `make` alone lists them.
# Needs Python 3.11 or newer with its venv module, and make; everything else goes into .venv.

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LOCK := requirements.lock

# Another activated environment must not lead pip or the tests astray.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX CONDA_PREFIX
# Hundreds of interpreters are started: what one has compiled is kept for the others.
unexport PYTHONDONTWRITEBYTECODE

# The interpreter that makes .venv: `make test PYTHON=/path/to/python3.12` names another one.
PYTHON ?=
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

# What is passed on: `make test PYTEST="-x tests/ledger"`. How many processes run at once says
# tests/conftest.py; one that is done takes tests from another.
PYTEST ?=
PARALLEL := -n auto --dist worksteal
# What `.ci/run` adds, so that the coverage of several tasks is counted together: counting takes time.
COVERAGE ?=
# How often `make slow` kills an extraction, how many changes it sends to servers that are killed meanwhile,
# and how often it reads a registry that is being changed, per database.
KILLS ?= 120
MUTATIONS ?= 800
READINGS ?= 30
# A ledger is opened by other releases of DuckDB too; `make integration` needs them.
DUCKDBS := $(foreach version,1.1.3 1.3.2 1.5.5,$(VENV)/duckdb-$(version))
empty :=
path_of = $(subst $(empty) $(empty),:,$(abspath $(1)))
# Registries of older MLflow releases are read too: each is an environment of its own. `make integration`
# needs one of them beside the newest.
RELEASES := tests/releases/requirements
MLFLOWS := $(patsubst $(RELEASES)/%.txt,$(VENV)/mlflow-%/.installed,$(wildcard $(RELEASES)/*.txt))
MLFLOW := $(filter $(VENV)/mlflow-2.9.%,$(MLFLOWS))
# The oldest releases of what auditreg needs, as pyproject.toml allows them; `make integration` runs on them.
LOWEST := $(VENV)/lowest/.installed
DEMO ?= reports/demo
# Fills an environment whose list is complete: $(call fill,PYTHON,ARGUMENTS). uv takes a fifth of the
# time; where it cannot reach what pip reaches (a mirror of the firm's), pip does it.
FILL := --quiet --no-deps
fill = $(VENV)/bin/uv pip install $(FILL) --python $(1) $(2) 2>/dev/null || \
    $(PY) -m pip --python $(1) install $(FILL) --disable-pip-version-check --no-compile $(2)
# How much of the code all tests together have to run, in percent.
FLOOR := 95

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test integration slow releases coverage lint format docs goldens samples recording bench lock build clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## a pricing registry, extracted, checked and reported, in reports/demo (DEMO=FOLDER)
	$(VENV)/bin/auditreg demo $(DEMO)

test: $(STAMP) ## run before every commit: needs nothing but Python (PYTEST="-x tests/ledger" passes arguments)
	$(PY) -m pytest $(PARALLEL) $(COVERAGE) $(PYTEST)

integration: $(STAMP) $(DUCKDBS) $(MLFLOW) $(LOWEST) ## test with servers, databases, a browser and other interpreters
	AUDITREG_TEST_DUCKDBS="$(call path_of,$(DUCKDBS))" AUDITREG_TEST_MLFLOWS="$(call path_of,$(dir $(MLFLOW)))" \
	    AUDITREG_TEST_LOWEST="$(abspath $(dir $(LOWEST)))/bin/python" \
	    $(PY) -m pytest $(PARALLEL) -m "integration and not slow and not releases" $(COVERAGE) $(PYTEST)

# Only the files that hold such tests are collected, unless PYTEST names others.
of_marker = $(or $(PYTEST),$(sort $(shell grep -rlw --include='test_*.py' 'mark.$(1)' tests)))

slow: $(STAMP) ## run the long harnesses: kills of an extraction, servers on three databases (KILLS=200 MUTATIONS=10000 READINGS=150)
	AUDITREG_TEST_KILLS=$(KILLS) AUDITREG_TEST_MUTATIONS=$(MUTATIONS) AUDITREG_TEST_READINGS=$(READINGS) \
	    $(PY) -m pytest $(PARALLEL) -m slow $(call of_marker,slow)

releases: $(STAMP) $(MLFLOWS) ## read the stores and servers of every MLflow release in tests/releases
	AUDITREG_TEST_MLFLOWS="$(call path_of,$(dir $(MLFLOWS)))" $(PY) -m pytest $(PARALLEL) -m releases $(call of_marker,releases)

coverage: $(STAMP) ## require the coverage of what the tests before have measured
	$(PY) -m coverage report --fail-under=$(FLOOR)

# The list is complete, so nothing is resolved; what is not compiled here is compiled when it runs. Where
# a release has no wheels for this Python, its tests are skipped; in CI they fail.
$(VENV)/mlflow-%/.installed: $(RELEASES)/%.txt | $(STAMP)
	@echo "Installing MLflow $* into $(@D)"
	@$(PY) -m venv --clear --without-pip $(@D) && \
	    { $(call fill,$(@D)/bin/python,--only-binary :all: --requirement $<); } && touch $@ || \
	    { rm -rf $(@D); [ "$${CI:-}" != true ] && echo "MLflow $* cannot be installed here: its tests are skipped" >&2; }

$(LOWEST): tests/lowest.txt | $(STAMP)
	@echo "Installing the oldest releases that are allowed into $(@D)"
	@$(PY) -m venv --clear --without-pip $(@D) && \
	    { $(call fill,$(@D)/bin/python,--only-binary :all: --requirement $<); } && touch $@

$(VENV)/duckdb-%: $(STAMP)
	$(call fill,$(PY),--target $@ duckdb==$*)

lint: $(STAMP) ## style, types, layers, docstrings, and whether generated documents are current
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m interrogate --config pyproject.toml --quiet src capture/src tools
	@if [ -f docs/generate.py ]; then set -x; $(PY) docs/generate.py --check; fi

format: $(STAMP) ## put the code into its usual form
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

docs: $(STAMP) ## write the generated documents anew
	$(PY) docs/generate.py

goldens: $(STAMP) ## write the expected outputs under tests/golden anew; read the difference before committing it
	$(PY) -m pytest tests -q -k golden --update-goldens

samples: $(STAMP) ## make the sample reports and the pictures of their pages
	$(PY) reports/build_samples.py

recording: $(STAMP) ## play the demo's registry anew with MLflow and write the recording that ships
	$(PY) -m tools.demo

bench: $(STAMP) ## measure the budgets; takes minutes and prints ratios
	$(PY) -m benchmarks

lock: $(STAMP) ## choose versions anew and write requirements.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	    --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" \
	    --all-extras --group dev pyproject.toml --output-file $(LOCK)
	$(VENV)/bin/uv pip compile --quiet --python-version 3.11 --resolution lowest-direct \
	    --extra postgresql --extra mysql --extra s3 --no-annotate --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" pyproject.toml --output-file tests/lowest.txt

build: $(STAMP) ## make the source distributions and wheels of both packages in dist/
	$(PY) -m build --no-isolation
	$(PY) -m build --no-isolation --outdir dist capture

clean: ## remove .venv, caches and build results; ledgers and reports stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# .venv is made when it is missing or its interpreter is gone, and filled again when the versions change.
$(STAMP): pyproject.toml $(wildcard capture/pyproject.toml) $(LOCK)
	@if ! $(PY) -c '$(PROBE)' >/dev/null 2>&1; then \
	    for candidate in $(PYTHON) $(if $(PYTHON),,python3 python3.14 python3.13 python3.12 python3.11 python); do \
	        if "$$candidate" -c '$(PROBE)' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	    done; \
	    if [ -z "$${found:-}" ]; then \
	        echo "No Python 3.11 or newer with its venv module was found (tried: $(if $(PYTHON),$(PYTHON),python3, python3.11 to python3.14, python))." >&2; \
	        echo "On Debian or Ubuntu: apt-get install python3 python3-venv. On macOS: brew install python." >&2; \
	        echo "If it stands elsewhere: make $(or $(MAKECMDGOALS),test) PYTHON=/path/to/python3.12" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$("$$found" --version)"; \
	    "$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing what $(LOCK) names into $(VENV)"
# The lock names everything: asked to resolve it again, an older pip goes for newer releases of extras.
	$(PY) -m pip install --quiet --no-deps $$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' $(LOCK))
	$(call fill,$(PY),--require-hashes --requirement $(LOCK))
	$(call fill,$(PY),--no-build-isolation --editable . --editable capture)
	@touch $@
