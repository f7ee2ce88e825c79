PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
DEMO_EXTRAS := api,control,train,local
TEST_EXTRAS := $(DEMO_EXTRAS),watch,deep,lightfm,tune,track,dev

ifneq ($(wildcard ../shared/data),)
export TOPSHELF_TEST_DATA ?= $(abspath ../shared/data)
endif

.PHONY: demo test test-kills test-tools test-secrets test-engine check format clean help

help: ## say what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/demo.done ## install, then run the whole system on MovieLens-100K until Ctrl-C
	$(BIN)/topshelf demo $(DEMO_ARGS)

test: $(VENV)/test.done $(VENV)/bugsink.done ## run the whole suite against a real Redis that it starts itself
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile $(PYTEST_ARGS)

test-kills: $(VENV)/test.done ## kill -9 of workers at 20 random moments and of Redis; ten minutes
	$(BIN)/python -m pytest -m kills $(PYTEST_ARGS)

test-tools: $(VENV)/test.done ## start MLflow and Bugsink (where .venv/bugsink has it) as the compose file does
	$(BIN)/python -m pytest -m tools $(PYTEST_ARGS)

test-secrets: $(VENV)/test.done ## provoke errors that might show a password; five minutes
	$(BIN)/python -m pytest -m secrets $(PYTEST_ARGS)

test-engine: $(VENV)/test.done ## build the images anew, run the compose file in a Docker engine; twelve minutes
	$(BIN)/python -m pytest -m engine $(PYTEST_ARGS)

check: $(VENV)/test.done ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/test.done ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment, caches and the demo's data
	rm -rf $(VENV) .cache .topshelf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is wanted: make PYTHON=python3.11 …'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.done: $(BIN)/python pyproject.toml constraints.txt
	@echo 'installing (half a minute) …'
	$(PIP) --editable '.[$(DEMO_EXTRAS)]'
	@touch $@

$(VENV)/test.done: $(VENV)/demo.done
	@echo 'installing the development tools …'
	$(PIP) --editable '.[$(TEST_EXTRAS)]'
	@touch $@

$(VENV)/bugsink.done: $(BIN)/python tests/bugsink/requirements.txt
	@echo 'installing Bugsink, a server of the Sentry kind that the tests report to …'
	@sh tests/bugsink/install.sh $(PYTHON) $(VENV)/bugsink && touch $@ || echo 'Bugsink is not there: its tests are skipped'
