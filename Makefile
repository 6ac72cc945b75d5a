# Every target makes the virtual environment it needs by itself; nothing is installed outside of .venv.
PYTHON ?= python3
PORT ?= 8000

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PIP := $(INSTALL) -c constraints.txt

# Many tests wait for something: one worker more than there are processors keeps them all busy.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# The tests start hundreds of processes: none should have to compile the portal again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo run test check lint mutants programs strings lock screenshots bench bench-quick release

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1|/' | while IFS='|' read -r name text; \
		do printf '  make %-11s %s\n' "$$name" "$$text"; done

demo: $(RUNTIME) ## Try it: a throw-away portal with sample data, and deliveries to watch.
	@$(BIN)/portal demo --port $(PORT)

run: $(RUNTIME) ## Run the portal of ./instance on this machine.
	@$(BIN)/portal serve --port $(PORT)

test: $(DEVELOPMENT) programs ## Run every test, on SQLite and on PostgreSQL (ARGS="-k name" for some).
	@$(BIN)/python -m pytest -n $(WORKERS) --durations 20 --durations-min 5 $(ARGS)

check: lint programs ## For every save: style, types, layers, and the quick tests of what is not committed yet (SINCE=main for more).
	@$(BIN)/python -m pytest -n $(WORKERS) -q -m "not slow and not alone and not postgresql" --durations 10 --durations-min 1 \
		$(ARGS) $$($(BIN)/python -m tests.changed $(SINCE))

lint: $(DEVELOPMENT) ## Check style, types, layers, and what is known to be unsafe.
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/bandit -q -r portal -ll

mutants: $(DEVELOPMENT) ## Change the code in small ways, and show which of them no test notices (MUTANTS=10 of each room).
	@$(INSTALL) cosmic-ray
	@$(BIN)/python .ci/mutants

programs: ## Install the programs that the tests need besides Python, by apt.
	@.ci/programs

strings: $(DEVELOPMENT) ## Collect the strings to translate into messages.po, compile it, and write the pages of docs/ that are generated.
	@mkdir -p build
	@$(BIN)/pybabel -q extract -F babel.cfg -k _l --no-location --sort-output -o build/messages.pot .
	@$(BIN)/pybabel -q update -i build/messages.pot -d portal/translations -l en --no-wrap --no-fuzzy-matching \
		--ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -d portal/translations
	@$(BIN)/python docs/reasons.py
	@$(BIN)/python docs/configuration.py
	@$(BIN)/python docs/api.py

lock: | $(BIN)/python ## Choose the versions of requirements.lock anew, within setup.cfg and constraints.txt.
	@$(INSTALL) uv
	@echo 'setuptools>=77' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --extra postgres -c constraints.txt -o requirements.lock setup.cfg -

bench: $(DEVELOPMENT) programs ## Measure against an earlier state, and write docs/performance.md (PEERS=celery,huey,dramatiq).
	@$(INSTALL) matplotlib
	@$(BIN)/python -m benchmarks.bench --report docs/performance.md $(ARGS)

bench-quick: $(DEVELOPMENT) ## The same in two minutes, for every change; it writes nothing.
	@$(INSTALL) matplotlib
	@$(BIN)/python -m benchmarks.bench --quick $(ARGS)

screenshots: $(DEVELOPMENT) ## Make the pictures of docs/images again.
	@$(BIN)/python docs/screenshots.py

release: $(DEVELOPMENT) ## Make a version of the last commit: changelog, sdist, wheel, checks, tag (VERSION=1.2.3).
	@$(INSTALL) twine
	@$(BIN)/python .ci/release "$(VERSION)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "The portal needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module is missing: on Debian, apt-get install python3-venv" >&2; exit 1; }

# What runs has the versions of requirements.lock, and each file of it the hash that stands there.
$(RUNTIME): setup.cfg pyproject.toml requirements.lock | $(BIN)/python
	@echo "Installing the portal into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the portal and its development tools into $(VENV) ..."
	@$(PIP) -e '.[dev,postgres]'
	@touch $@ $(RUNTIME)
