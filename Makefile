# Everything a user or developer runs. `make demo` and `make test` start from a bare Debian or Ubuntu with Swift installed.

SHELL := /bin/bash
.DEFAULT_GOAL := help

SWIFT ?= swift
MODEL ?= examples/model
PROMPT ?= What is 2+2?
VENV := .venv
BENCH_VENV ?= .bench/venv
BUILD := .build/release

# Debian packages: libraries with their headers, and what the demo and the tests call.
PACKAGES := libprotobuf-c-dev libavahi-client-dev libopenblas-dev libpcre2-dev libxxhash-dev pkg-config curl jq xz-utils
TEST_PACKAGES := python3-venv valgrind avahi-daemon dbus iproute2
BENCH_PACKAGES := g++ make

.PHONY: help packages test-packages build demo serve test unit-test instruction-test end-to-end-test lint format proto bench clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Two shards and the API on this machine answer PROMPT="…", then all stops
	@MODEL="$(MODEL)" BIN="$(BUILD)" examples/two-shards/demo.sh "$(PROMPT)"

serve: build ## The same ring stays up, with a curl line to paste; Ctrl-C stops it
	@MODEL="$(MODEL)" BIN="$(BUILD)" examples/two-shards/serve.sh

test: unit-test instruction-test end-to-end-test ## Every test, from a bare machine to green

packages: ## Install the Debian packages that are missing
	@tools/install-packages.sh $(PACKAGES)

test-packages: packages
	@tools/install-packages.sh $(TEST_PACKAGES)

build: packages ## Build the daemons in release
	$(SWIFT) build -c release

unit-test: packages ## The tests written in Swift
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build

instruction-test: test-packages ## What the hot kernels do, counted in instructions
	SWIFT="$(SWIFT)" Tests/InstructionCounts/run.sh

end-to-end-test: test-packages build $(VENV)/.installed ## Real processes on free ports, asked by the openai client
	$(VENV)/bin/python -m pytest Tests/EndToEnd -q

$(VENV)/.installed: Tests/EndToEnd/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r Tests/EndToEnd/requirements.txt
	@touch $@

lint: packages ## Format, imports between targets, and the house rules
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests
	tools/check-style.sh
	$(SWIFT) build --build-tests --explicit-target-dependency-import-check error

format: ## Format the Swift sources in place
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

proto: packages ## Generate the C of proto/ring.proto anew
	@tools/install-packages.sh protobuf-c-compiler
	proto/generate.sh

bench: test-packages build $(BENCH_VENV)/.installed .bench/models/.made .bench/quality/.made ## The table of figures beside llama.cpp, and .bench/results.json
	$(BUILD)/ring-bench all --python $(BENCH_VENV)/bin/python --json .bench/results.json \
		--commit "$$(git describe --always --dirty 2>/dev/null)"
	$(BUILD)/ring-bench perplexity --python $(BENCH_VENV)/bin/python --json .bench/perplexity.json

$(BENCH_VENV)/.installed: tools/bench/requirements.txt
	@tools/install-packages.sh $(BENCH_PACKAGES)
	@echo "Building llama.cpp for this processor; this takes ten minutes or more, once"
	python3 -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tools/bench/requirements.txt
	@touch $@

.bench/models/.made: tools/bench/make_models.py $(BENCH_VENV)/.installed
	@echo "Making models of random weights, 4.4 GB"
	$(BENCH_VENV)/bin/python tools/bench/make_models.py .bench/models
	@touch $@

.bench/quality/.made: tools/bench/make_quality_models.py $(BENCH_VENV)/.installed examples/model/model.safetensors
	@echo "Storing the example model in every format"
	$(BENCH_VENV)/bin/python tools/bench/make_quality_models.py examples/model .bench/quality
	@touch $@

clean: ## Remove everything that was built
	rm -rf .build $(VENV) .bench
