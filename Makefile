# One command each; `make` alone lists them. Everything runs in .venv, which `setup` makes and keeps right.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup repro test test-all test-system servers soak gpu lint format ui lock clean

VENV := $(CURDIR)/.venv
# Stages call `python` and the linters call each other by name: .venv comes first, without being activated.
IN_VENV := export PATH="$(VENV)/bin:$$PATH";
# The stamp is named after the content it was made from, so neither `git checkout` nor `touch` asks for a new set-up.
STAMP := .venv/.ready-$(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-12)
# Errors only, and no question about a newer pip.
PIP = PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$(1)/bin/python" -m pip $(2) -qq
PORT ?= 5000
JOBS ?= 3
# A file's tests share what they start, so they stay together.
SPREAD = -n $(JOBS) --dist loadfile --no-loadscope-reorder
MINUTES ?= 30
SEED ?= 0

help: ## this list
	@echo "ganflow: make TARGET"
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## make .venv from requirements.lock (nothing to do when it is there)

repro: setup ## run the pipeline: every stage whose inputs changed (dvc repro)
	@$(IN_VENV) echo "dvc repro $(ARGS)" # DVC takes seconds to say its first word
	dvc repro $(ARGS)

test: setup ## the quick tests, JOBS at a time, in a few minutes; ARGS='-k loss' goes to pytest
	@$(IN_VENV) pytest -m "not slow" $(SPREAD) $(ARGS)

test-all: setup ## all tests but those of test-system: also whole pipelines, Ray, MLflow's servers and the long runs
	@$(IN_VENV) pytest $(SPREAD) $(ARGS)

# Each of these asks for what the packages above cannot have, so it lies beside them.
FIDELITY := .venv/fidelity
SWIFT := .venv/swift
# What Debian has: what a program is called, and the package that brings it.
PROGRAMS := cc:build-essential chromium:chromium ip:iproute2 unshare:util-linux postgres:postgresql

test-system: servers ## the tests against real servers, hosts and browsers; as root, for it installs what is missing
	@$(IN_VENV) export PYTHONPATH="$(CURDIR):$(CURDIR)/$(FIDELITY)"; pytest tests/system $(ARGS)

servers: setup
	@missing=
	for program in $(PROGRAMS); do
	  PATH="$$PATH:/usr/sbin:$$(echo /usr/lib/postgresql/*/bin)" command -v "$${program%:*}" >/dev/null ||
	    missing+=" $${program#*:}"
	done
	[ -z "$$missing" ] || { apt-get update -qq &&
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }
	# torch-fidelity asks for a torchvision that it does not need here.
	[ -d $(FIDELITY) ] || $(call PIP,.venv,install) --no-deps --target $(FIDELITY) torch-fidelity==0.4.0
	[ -x $(SWIFT)/bin/swift-proxy-server ] || {
	  .venv/bin/python -m venv --clear $(SWIFT) && $(call PIP,$(SWIFT),install) swift==2.38.3; }

soak: ## random faults, one a minute, seeded (MINUTES=30 SEED=0); says what each cost
	@SOAK_MINUTES=$(MINUTES) SOAK_SEED=$(SEED) $(MAKE) test-system ARGS='-s -o faulthandler_timeout=0 tests/system/test_soak.py -k soak'

# What the training code needs beside torch and NumPy, which the GPU's machine has.
PACKAGES := antlr4-python3-runtime attrs filelock hydra-core omegaconf packaging pillow pyyaml tqdm
GPU_PYTHON ?= python3

gpu: .gpu-packages ## correctness, images/s, memory and a profile on this machine's GPU, by GPU_PYTHON, which has torch
	@PYTHONPATH="$(CURDIR):$(CURDIR)/.gpu-packages" $(GPU_PYTHON) benchmarks/gpu.py

# PIP_FIND_LINKS and PIP_NO_INDEX let a folder of wheels take the place of an index.
.gpu-packages: requirements.lock Makefile
	@pinned=$$(for name in $(PACKAGES); do grep -iE "^$$name==[^ ]+" requirements.lock | grep -oE '^[^ ;\\]+'; done)
	$(GPU_PYTHON) -m pip install -qq --no-deps --target $@.new $$pinned && rm -rf $@ && mv $@.new $@

lint: setup ## ruff, mypy --strict, the layers and the house's own rules
	@$(IN_VENV) ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo
	python -m tests.support.house_rules

format: setup ## let ruff put the code into shape
	@$(IN_VENV) ruff check --fix-only --quiet .
	ruff format .

ui: setup ## look at the runs: MLflow, and the pages of this project's runs and model on it (PORT=…)
	@$(IN_VENV) ganflow pages --at http://127.0.0.1:$(PORT)
	exec infra/mlflow/serve.sh --port $(PORT)

# `alive STEP COMMAND…` runs a command and says every five seconds how far it is; what the command says itself is shown if
# it fails. `read` waits without a process that would outlive an interrupt.
define ALIVE
alive() {
  step=$$1; shift; started=$$SECONDS
  report() {
    while read -rt 5 <> <(:) || :; do
      fetched=$$(grep -c '^Collecting ' .venv/step.log || :)
      installed=$$(compgen -G '.venv/lib/python*/site-packages/*.dist-info' | wc -l) || : # none is there yet
      echo "$$step: $$fetched packages fetched, $$installed installed, $$((SECONDS - started)) s so far"
    done
  }
  : >.venv/step.log
  report & reporter=$$!
  trap 'kill $$reporter 2>/dev/null || :' EXIT
  "$$@" >.venv/step.log 2>&1 || { status=$$?; grep '^ERROR' .venv/step.log >&2 || tail -n 5 .venv/step.log >&2; exit $$status; }
  kill $$reporter 2>/dev/null || :; wait $$reporter 2>/dev/null || :; trap - EXIT
}
endef

# What nothing here imports, for the most part; it is compiled when something does.
UNUSED := site-packages/(.*/)?(tests?|testing|sympy|rllib|databricks|matplotlib|networkx|fontTools|mypyc?|pip)/

# An interrupted pip can leave a package that it later takes for whole: a .venv without any stamp is made anew.
$(STAMP): requirements.lock pyproject.toml
	@$(ALIVE)
	python=
	for candidate in python3.11 python3; do
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi
	done
	[ "$$python" ] || { echo "ganflow: needs Python 3.11 or later; on Debian 12: apt-get install python3.11-venv" >&2; exit 2; }
	$$python -c 'import ensurepip' 2>/dev/null ||
	  { echo "ganflow: $$python cannot make a venv; on Debian: apt-get install $$python-venv" >&2; exit 2; }
	if ! compgen -G '.venv/.ready-*' >/dev/null; then
	  echo "setup 1/4: .venv with $$($$python -V)"
	  rm -rf .venv; mkdir .venv
	  alive "setup 1/4" $$python -m venv .venv
	fi
	rm -f .venv/.ready-*
	install=(env PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore .venv/bin/python -m pip install --progress-bar off --no-compile)
	echo "setup 2/4: torch, with what its build for this machine needs"
	alive "setup 2/4" "$${install[@]}" --constraint requirements.lock torch
	echo "setup 3/4: $$(grep -c == requirements.lock) pinned packages (a few minutes)"
	# Two at a time: for each of them pip uses one core.
	packages() {
	  "$${install[@]}" --no-deps --requirement <(sed -n 'p;n' requirements.lock) & other=$$!
	  "$${install[@]}" --no-deps --requirement <(sed -n 'n;p' requirements.lock); status=$$?
	  wait $$other && return $$status
	}
	alive "setup 3/4" packages
	echo "setup 4/4: ganflow itself, compiled once on all cores, and a check that all fits together"
	finish() {
	  # Its status is nothing: some packages ship files for other Pythons.
	  .venv/bin/python -m compileall -qq -j 0 -x '$(UNUSED)' .venv/lib
	  "$${install[@]}" --no-deps --no-build-isolation --editable . && .venv/bin/python -m pip --disable-pip-version-check check
	}
	alive "setup 4/4" finish
	touch $@

# Without the old pins as constraints, pip's resolver searches for more than ten minutes.
lock: ## write requirements.lock from pyproject.toml; delete a pin there first to have it resolved anew
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT
	python3.11 -m venv "$$work"
	grep == requirements.lock >"$$work/pins"
	$(call PIP,$$work,install) --no-compile --constraint "$$work/pins" torch
	$(call PIP,$$work,install) --no-compile --constraint "$$work/pins" --editable '.[dev,postgres]'
	{ grep '^#' requirements.lock
	  $(call PIP,$$work,freeze) --all --exclude pip --exclude-editable |
	    sed -E 's/\+[a-z0-9]+$$//' | grep -vE '^(nvidia-|cuda-|triton)' | sort -f; } >"$$work/lock"
	cp "$$work/lock" requirements.lock

clean: ## remove caches and what builds leave; data, models, runs and .venv stay
	@rm -rf build dist *.egg-info .*_cache .hypothesis
	find ganflow pipelines tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
