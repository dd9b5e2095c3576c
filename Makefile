# What you can do here: `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
EVENTS ?= 1000000
KILLS ?= 10
SEED ?= 1
FAULTS ?= 100
SECONDS_EACH ?= 60
MINUTES ?= 30

.PHONY: help needs needs-tests check fmt lint unit test e2e doc lean gates minimal demo bench backends library-bench guards kills chaos chaos-postgres fuzz mutations overload soak web web-check web-test deny clean otlp-sdks

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

test: needs-tests otlp-sdks fmt lint lean doc gates minimal web-check ## Everything that must pass, with the short forms of long tests
	$(CARGO) test --workspace --all-features
	cd web && npm run --silent e2e

otlp-sdks: needs-tests ## Install the OpenTelemetry SDKs that a test exports with, below target/
	@scripts/otlp-sdks

lean: ## Check that the library builds without its async feature, and without tokio
	$(CARGO) test -p tidegate --no-default-features
	@if $(CARGO) tree -p tidegate --no-default-features --edges normal | grep -w tokio; then \
	  echo 'the library without `async` must not depend on tokio' >&2; exit 1; fi

gates: needs-tests ## Instructions and allocations an item of the library and an event of the server, which no noise moves
	$(CARGO) test --release -p tidegate-library-bench
	$(CARGO) test --release -p tidegate-path-bench

minimal: ## Check that the library compiles with the lowest versions it names
	scripts/library-minimal

library-bench: ## Measure the library beside channels and another crate; writes bench/LIBRARY.md
	bench/library/run $(ARGS)

guards: ## Take the guards of the hot path out one by one; each time a test must fail (about 15 minutes)
	crates/model/guards

doc: ## Build the documentation; a warning is an error
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --all-features --no-deps

web: needs-tests ## Build the dashboard's files (web/dist) and types from their sources
	cd web && npm ci && npm run types && npm run format && npm run build

web-check: needs-tests ## Check that web/dist is what its sources give, and its lints and unit tests
	scripts/web-check

web-test: needs-tests ## Drive the dashboard in a real browser against the real binary
	$(CARGO) build -p tidegate-cli
	cd web && npm ci --silent && npm run --silent e2e

kills: needs ## The long kill test: EVENTS=1000000 KILLS=10 SEED=1
	TIDEGATE_KILL_EVENTS=$(EVENTS) TIDEGATE_KILLS=$(KILLS) TIDEGATE_KILL_SEED=$(SEED) \
	  $(CARGO) test --release -p tidegate-cli --test kill -- --nocapture

chaos: needs-tests ## Everything breaks at random, under load: KILLS=100 SEED=1, some minutes
	@$(CARGO) build --release -p tidegate-cli --features proof --bins
	TIDEGATE_CHAOS_KILLS=$(KILLS) TIDEGATE_CHAOS_SEED=$(SEED) $(CARGO) test --release -p tidegate-cli \
	  --features proof --test chaos -- --nocapture whatever_breaks | grep -E '^\{|panicked|test result' | tac

fuzz: ## Run the fuzz targets, some seconds each: SECONDS_EACH=60, ARGS='events rows'
	fuzz/run $(SECONDS_EACH) $(ARGS)

mutations: needs-tests ## Break the promises one by one; each time a test must fail (about 15 minutes)
	scripts/mutations $(ARGS)

overload: needs-tests ## Offer a sink ten times what it takes, for a minute
	TIDEGATE_OVERLOAD_SECONDS=60 TIDEGATE_OVERLOAD_RATE=200000 $(CARGO) test --release \
	  -p tidegate-cli --test capped -- --nocapture

soak: needs-tests ## Does anything grow? MINUTES=30 at 70 % of capacity; writes docs/soak.svg
	TIDEGATE_SOAK_SECONDS=$$(( $(MINUTES) * 60 )) TIDEGATE_SOAK_PLOT=$(CURDIR)/docs/soak.svg \
	  $(CARGO) test --release -p tidegate-cli --test soak -- --nocapture

chaos-postgres: needs-tests ## Faults of PostgreSQL at random, the long form: FAULTS=100
	TIDEGATE_PG_FAULTS=$(FAULTS) $(CARGO) test --release -p tidegate-sinks --all-features \
	  --test postgres -- --nocapture chaos

backends: needs-tests ## Controllers against real backends, about 20 minutes; ARGS='--cases …'
	bench/backends/run $(ARGS)

bench: needs-tests ## Measure the pipeline beside its ceilings and a peer; writes bench/RESULTS.md; ARGS='throughput --rounds 1'
	bench/run $(ARGS)

deny: ## Check licences, sources and duplicates (needs cargo-deny)
	$(CARGO) deny check

clean: ## Remove what was built
	$(CARGO) clean
