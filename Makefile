# SPDX-License-Identifier: Apache-2.0
# Two commands: `make run` (the main job) and `make test`. `make help` lists the others.

PYTHON ?= python3
# The CPU build. For a GPU: rm -rf .venv && make setup TORCH=torch==2.13.0
TORCH ?= torch==2.13.0$(if $(filter Darwin,$(shell uname -s)),,+cpu)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install
PYTEST := $(BIN)/python -m pytest

.DELETE_ON_ERROR:
.PHONY: help setup dev tools lint type test cocotb synth run verilog paper formats results bench area clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 18

setup: .venv/.setup ## Make .venv with fantastic4 in it
dev: .venv/.dev ## Add to it what the tests need

run: setup ## The main job: train on digits, simulate the core, compare with golden
	$(BIN)/fantastic4 demo

test: tools dev lint type ## Check the code and run all tests, cocotb included
	$(PYTEST) -n auto --dist worksteal

lint: dev ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: dev ## Check types
	$(BIN)/pyright

cocotb: tools dev ## Run the benches on the generated Verilog only
	$(PYTEST) -n auto -m cocotb

synth: dev ## Run the tests on synthesised netlists only
	$(PYTEST) -n auto -m synth

verilog: setup ## Write the Verilog of every named core into build/verilog
	for config in tiny small base dense full few ternary kws-up5k gsc-ecp5-25 paper; do $(BIN)/fantastic4 verilog --config $$config -o build/verilog || exit 1; done

paper: dev ## Simulate layers at the scale of the paper, 8,192 lanes (minutes)
	$(PYTEST) -m paper

formats: dev ## Measure the weight formats, bits and gates, into docs
	$(BIN)/fantastic4 formats --synth -o docs

results: dev ## Train the networks of docs/results.md and renew its tables (hours)
	$(BIN)/fantastic4 sweep --preset results -o build/results --docs docs

bench: dev ## Measure the cores on networks into docs, routed (hours the first time)
	$(BIN)/fantastic4 bench --reroute dense -o docs

area: dev ## Calibrate by synthesis what plan estimates (minutes)
	$(BIN)/python benchmarks/calibrate_area.py

clean: ## Remove what was built, but not .venv
	rm -rf build .pytest_cache .ruff_cache .hypothesis

tools: # What the tests need beyond pip
	@missing=; for tool in g++ make perl; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then \
	    echo "make test needs$$missing: sudo apt-get install$$missing" >&2; exit 1; fi

.venv/.python:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "there is no $(PYTHON): sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "FantastIC4 needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1):" \
	        "name another with make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: sudo apt-get install python3-venv" >&2; \
	    exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# PyTorch first, so that nothing pulls another build of it later; then never touched again.
.venv/torch.txt: | .venv/.python
	@echo "installing $(TORCH) (some 200 MB)"
	@$(PIP) "$(TORCH)" 2>.venv/torch.log || $(PIP) --extra-index-url $(TORCH_INDEX) "$(TORCH)"
	@$(BIN)/python -c 'from importlib.metadata import version as v; print("torch==" + v("torch"))' >$@

.venv/.setup: pyproject.toml .venv/torch.txt
	$(PIP) --constraint .venv/torch.txt --editable '.[train,sim]'
	@touch $@

.venv/.dev: .venv/.setup
	$(PIP) --constraint .venv/torch.txt --editable '.[dev]'
	@touch $@
