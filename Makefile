# Two commands are enough to begin: `make demo` and `make test`. Both set up .venv first.
# CPU=1 takes torch's builds without CUDA: 2 GB in place of 6.4. Later commands remember it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/lib/python3*/site-packages
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CPU ?= $(if $(wildcard $(PACKAGES)/torch-*+cpu.dist-info),1)
LINUX := $(filter Linux,$(shell uname -s))
CUDA_BUILD := $(and $(CPU),$(LINUX),$(wildcard $(PACKAGES)/nvidia))
INSTALL := $(BIN)/python -P scripts/install_packages.py $(VENV)
DEMO := demo$(if $(FULL),-full)$(if $(CLEAN),-clean)
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
export MLFLOW_DISABLE_TELEMETRY = true
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export DO_NOT_TRACK = 1
export DVC_NO_ANALYTICS = 1
export NO_ALBUMENTATIONS_UPDATE = 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo test test-all faults scale fuzz check docs ui clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "metricloop needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing the packages into $(VENV): some minutes, $(if $(LINUX),$(if $(CPU),2.0,6.4),2) GB"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) bundle,heif,takehome $(if $(CPU),--torch-index $(TORCH_INDEX))
	@$(BIN)/python -P scripts/compile_imported.py
	@$(BIN)/python -P -m metricloop.study.refresh
	@touch $@

$(VENV)/ready-test: $(VENV)/ready
	@echo "installing what the tests need beside that: 0.6 GB"
	@$(INSTALL) test
	@$(BIN)/python -m compileall -qq -j 0 $(PACKAGES) || true  # some packages hold files for other versions of Python
	@touch $@

setup: $(VENV)/ready  ## create .venv with the pinned dependencies (CPU=1: torch without CUDA)
	@$(if $(CUDA_BUILD),test -f $(VENV)/cpu-torch.log || echo "$(VENV) has torch with CUDA already; CPU=1 takes effect after: rm -r $(VENV)")

setup-test: setup $(VENV)/ready-test

demo: setup  ## run a whole study on drawn pictures, in minutes (FULL=1: with all controls; CLEAN=1: with undamaged labels)
	@test -f $(DEMO)/code.yaml || $(BIN)/metricloop init $(DEMO) --demo $(if $(FULL),--full) $(if $(CLEAN),--corrupt none) > $(VENV)/init.log
	@$(BIN)/metricloop run -C $(DEMO)
	@echo "for the commands above, once in this shell: source $(VENV)/bin/activate"

test: setup-test  ## run the tests, except the slow ones
	$(BIN)/python -P -m pytest $(PARALLEL) --timeout 900

test-all: setup-test  ## run all tests (slow ones, ones that kill processes, ones with a browser) and the demo
	$(BIN)/python -P -m pytest $(PARALLEL) -m 'not gpu and not faults and not scale'
	$(MAKE) faults
	$(MAKE) scale
	$(MAKE) demo

faults: setup-test  ## damage files and kill processes of a study (ALL=1: at every place, for hours)
	$(if $(ALL),METRICLOOP_FAULTS=all )$(BIN)/python -P -m pytest -m faults

scale: setup-test  ## run studies with servers elsewhere and on several machines, which this one plays
	$(BIN)/python -P -m pytest -m scale

fuzz: setup-test  ## try the readers of data sets on broken input (EXAMPLES=3000 of each kind)
	METRICLOOP_FUZZ=$(or $(EXAMPLES),3000) $(BIN)/python -P -m pytest -m slow tests/data/test_fuzz.py

check: setup-test  ## check lint, format, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup-test  ## write the documentation as a site: site/index.html
	$(BIN)/mkdocs build --strict --quiet

ui: setup  ## show the demo in the MLflow UI on http://127.0.0.1:5000
	$(BIN)/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/$(DEMO)/mlflow.db

clean:  ## delete the demo workspaces
	rm -rf demo demo-full demo-clean demo-full-clean
