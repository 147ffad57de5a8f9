# Two commands are enough to begin: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo$(if $(FULL),-full)$(if $(CLEAN),-clean)
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
export MLFLOW_DISABLE_TELEMETRY = true
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export DVC_NO_ANALYTICS = 1
export NO_ALBUMENTATIONS_UPDATE = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all fuzz check ui clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "metricloop needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing the packages into $(VENV): some minutes, 6.7 GB"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@$(BIN)/python -P -m metricloop.study.refresh
	@touch $@

setup: $(VENV)/ready  ## create .venv with the pinned dependencies

demo: setup  ## run a whole study on drawn pictures, in minutes (FULL=1: with all controls; CLEAN=1: with undamaged labels)
	@test -f $(DEMO)/code.yaml || $(BIN)/metricloop init $(DEMO) --demo $(if $(FULL),--full) $(if $(CLEAN),--corrupt none)
	@$(BIN)/metricloop run -C $(DEMO)

test: setup  ## run the tests, except the slow ones
	$(BIN)/python -P -m pytest $(PARALLEL)

test-all: setup  ## run all tests (slow ones, ones that kill processes, ones with a browser) and the demo
	$(BIN)/python -P -m pytest $(PARALLEL) -m 'not gpu and not faults'
	$(BIN)/python -P -m pytest -m faults
	$(MAKE) demo

fuzz: setup  ## try the readers of data sets on broken input (EXAMPLES=3000 of each kind)
	METRICLOOP_FUZZ=$(or $(EXAMPLES),3000) $(BIN)/python -P -m pytest -m slow tests/data/test_fuzz.py

check: setup  ## check lint, format, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui: setup  ## show the demo in the MLflow UI on http://127.0.0.1:5000
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/$(DEMO)/mlflow.db

clean:  ## delete the demo workspaces
	rm -rf demo demo-full demo-clean demo-full-clean
