# The only command surface: people, hooks and CI call these targets. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
WORKERS ?= 3
STAGES := local dev staging prod
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help venv demo demo-chaos up down test test-most test-iam test-cluster properties fuzz bench check format format-check lint types imports synth docs images clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | awk -F'|' '{ printf "  %-14s %s\n", $$1, $$2 }'

venv: $(READY) ## Make the virtual environment from uv.lock

$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo 'installing the locked dependencies'
	@UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --all-extras --python $(BIN)/python
	@touch $(READY)

demo: venv ## Run the main job end to end on this machine, with both example suites
	@$(BIN)/crosswind demo

demo-chaos: venv ## Break the example shop on purpose: one experiment holds, one finds its weakness, and then the fix holds
	@$(BIN)/crosswind demo --chaos

up: venv ## Start the embedded cloud at http://127.0.0.1:8080
	@$(BIN)/crosswind up

down: venv ## Stop the embedded cloud; its data stays
	@$(BIN)/crosswind down

test: test-most ## Run every test, the end-to-end ones on embedded clouds of their own; CLUSTER=1 adds those of test-cluster
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-iam $(if $(CLUSTER),test-cluster) # both wait more than they work

test-most: venv
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup --durations 25 --durations-min 10 \
		--ignore tests/bench --ignore tests/cluster --ignore tests/e2e/enforced

test-iam: venv ## Test the main job, scheduling and access on an embedded cloud that enforces IAM
	@$(BIN)/pytest tests/e2e/enforced

test-cluster: venv ## Test on a real Kubernetes: control plane, simulated nodes, real pods; what cannot be built here is skipped
	@$(BIN)/python -m tests.cluster.toolbox
	@$(BIN)/pytest tests/cluster

properties: venv ## Search with new random examples for what breaks a property; the suite itself takes the same ones each time
	@HYPOTHESIS_PROFILE=search $(BIN)/pytest -n $(WORKERS) -m hypothesis tests/unit

fuzz: venv ## Damage reports for a minute and read them: no reader may raise
	@$(BIN)/python -m tests.fuzz.readers

bench: venv ## Measure; docs/performance.md says what the figures mean
	@$(BIN)/python -m tests.bench.imports
	@$(BIN)/python -m tests.bench.launcher
	@$(BIN)/python -m tests.bench.scale
	@$(BIN)/python -m tests.bench.cancelling
	@$(BIN)/python -m tests.bench.recovery
	@$(BIN)/python -m tests.bench.third_party
	@$(BIN)/python -m tests.bench.simulate
	@$(BIN)/python -m tests.bench.admission_pure
	@$(BIN)/python -m tests.bench.admission
	@$(BIN)/python -m tests.bench.costs
	@$(BIN)/python -m tests.bench.pulling
	@$(BIN)/python -m tests.bench.load_merge
	@$(BIN)/python -m tests.bench.history
	@$(BIN)/python -m tests.bench.storm
	@$(BIN)/python -m tests.bench.readers
	@$(BIN)/python -m tests.bench.gate
	@$(BIN)/python -m tests.bench.experiments
	@$(BIN)/python -m tests.bench.chaos_toolkit
	@$(BIN)/python -m tests.bench.live
	@$(BIN)/python -m tests.bench.pods --seconds 300 --chart build/pods.svg

check: format-check lint types imports ## Everything that CI checks
	@$(MAKE) --no-print-directory test CLUSTER=1

format: venv ## Lay the code out, and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

format-check: venv ## Fail on code that is laid out in another way
	@$(BIN)/ruff format --check .

lint: venv ## Lint
	@$(BIN)/ruff check .

types: venv ## Check types, strictly
	@$(BIN)/mypy

imports: venv ## Check that imports flow downward only
	@$(BIN)/lint-imports --no-cache

synth: venv ## Synthesize every stage, with cdk-nag's rules
	@for stage in $(STAGES); do \
		echo "synthesizing $$stage"; \
		CDK_OUTDIR=build/cdk-$$stage CDK_CONTEXT_JSON="{\"stage\": \"$$stage\"}" $(BIN)/python -m cdk.app; \
	done

docs: venv ## Write the generated documents anew: OpenAPI, the specs' JSON Schemas and the chaos matrix
	@$(BIN)/python -m crosswind.edge.openapi docs/api
	@mkdir -p build
	@$(BIN)/python -m tests.unit.chaos.engine.matrix > build/chaos-matrix.md && mv build/chaos-matrix.md docs/chaos-matrix.md

images: venv ## Build the container images with podman or docker; IMAGES="base pytest" for some, LOCAL_BASE=1 without a registry
	@$(BIN)/python -m containers.build $(if $(LOCAL_BASE),--local-base) $(IMAGES)

clean: ## Remove what these targets made here; the embedded cloud's data stays
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
