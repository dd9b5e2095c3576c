# What you can do here: `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
EVENTS ?= 1000000
KILLS ?= 10
SEED ?= 1
FAULTS ?= 100

.PHONY: help needs needs-tests check fmt lint unit test e2e doc lean demo bench backends gates minimal library-bench guards kills chaos-postgres deny clean

help: ## Show this list
	@grep -hE '^[a-z0-9_-]+:.*?## ' $(MAKEFILE_LIST) | awk -F':.*?## ' '{printf "  make %-15s %s\n", $$1, $$2}'

needs: ## Look for what the build needs; install it where that is possible (root on Debian)
	@scripts/needs

needs-tests: ## The same for the tests: a real PostgreSQL is among it
	@scripts/needs tests

demo: needs ## Run the main job for about a minute, with a live view
	@$(CARGO) run --quiet --release -p tidegate-cli -- demo $(ARGS)

check: needs fmt lint unit ## The quick loop: format, lints, unit tests

fmt: ## Check the format
	$(CARGO) fmt --all --check

lint: ## Check the lints
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings

unit: ## Run the unit tests
	$(CARGO) test --workspace --lib --bins

test: needs-tests fmt lint lean doc gates minimal ## Everything that must pass, with the short forms of long tests
	$(CARGO) test --workspace --all-features

lean: ## Check that the library builds without its async feature, and without tokio
	$(CARGO) test -p tidegate --no-default-features
	@if $(CARGO) tree -p tidegate --no-default-features --edges normal | grep -w tokio; then \
	  echo 'the library without `async` must not depend on tokio' >&2; exit 1; fi

gates: needs-tests ## Instructions and allocations an item of the library, which no noise moves
	$(CARGO) test --release -p tidegate-library-bench

minimal: ## Check that the library compiles with the lowest versions it names (needs nightly, else skipped)
	scripts/library-minimal

library-bench: ## Measure the library beside channels and another crate; writes bench/LIBRARY.md
	bench/library/run $(ARGS)

guards: ## Take the guards of the hot path out one by one; each time a test must fail (about 15 minutes)
	crates/model/guards

doc: ## Build the documentation; a warning is an error
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --all-features --no-deps

kills: needs ## The long kill test: EVENTS=1000000 KILLS=10 SEED=1
	TIDEGATE_KILL_EVENTS=$(EVENTS) TIDEGATE_KILLS=$(KILLS) TIDEGATE_KILL_SEED=$(SEED) \
	  $(CARGO) test --release -p tidegate-cli --test kill -- --nocapture

chaos-postgres: needs-tests ## Faults of PostgreSQL at random, the long form: FAULTS=100
	TIDEGATE_PG_FAULTS=$(FAULTS) $(CARGO) test --release -p tidegate-sinks --all-features \
	  --test postgres -- --nocapture chaos

backends: needs-tests ## Controllers against real backends, about 20 minutes; ARGS='--cases …'
	bench/backends/run $(ARGS)

bench: needs-tests ## Measure the pipeline against its floor; writes bench/RESULTS.md
	bench/run

deny: ## Check licences, sources and duplicates (needs cargo-deny)
	$(CARGO) deny check

clean: ## Remove what was built
	$(CARGO) clean
