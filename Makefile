# `make` alone says what it can do. A target's text is what stands after its `##`.

CARGO ?= cargo
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test e2e load check fmt release

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## The whole flow on this machine: dev tenant and both doors (ARGS="--set …" for more)
	$(CARGO) run --locked -- dev $(ARGS)

demo: ## The seven steps, narrated, on free ports and a temporary folder
	$(CARGO) run --locked -- demo $(ARGS)

test: ## All tests; needs no network (ARGS=name for some of them)
	$(CARGO) test --locked $(ARGS)

e2e: ## Real clients and other people's libraries; needs Node, Python, a network (ARGS=file for one suite)
	e2e/run $(ARGS)

load: ## The gate and the doors under load, at full length, measured: about six minutes
	$(CARGO) test --locked --release --test journeys -- --ignored --nocapture --test-threads 1 load::

check: ## What CI holds a change to: format, lints, docs
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

fmt: ## Formats the source
	$(CARGO) fmt

release: ## The executable to deploy: target/release/vestibule
	$(CARGO) build --locked --release
