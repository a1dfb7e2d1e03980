# `make` lists the targets, each with the text after its `##`.

CARGO ?= cargo
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test e2e load bench instructions check fmt release

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Run the dev tenant and both doors on this machine (more settings: ARGS="--set …")
	$(CARGO) run --locked -- dev $(ARGS)

demo: ## Run eight acts, from a sign-up to a deployment, on free ports and in a temporary folder
	$(CARGO) run --locked -- demo $(ARGS)

test: ## Run all tests, without a network (some of them: ARGS=name)
	$(CARGO) test --locked $(ARGS)

e2e: ## Run the tests with real clients and libraries; needs Node, Python and a network (one suite: ARGS=file)
	e2e/run $(ARGS)

load: ## Measure the gate and the doors under load (about six minutes)
	$(CARGO) test --locked --release --test journeys -- --ignored --nocapture --test-threads 1 load::

bench: ## Measure what a request costs, beside other stacks (about ten minutes and the builds; ARGS=--quick)
	benches/run $(ARGS)

instructions: ## Compare the hot path's instruction counts with those recorded (anew: ARGS=--record)
	benches/instructions $(ARGS)

check: ## Check format, lints and docs, as CI does
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

fmt: ## Format the source
	$(CARGO) fmt

release: ## Build the executable to deploy: target/release/vestibule
	$(CARGO) build --locked --release
