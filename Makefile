# One command for each thing a person does here. `make help` lists them.
PYTHON ?= python3
ARGS ?=
BOOTSTRAP := @$(PYTHON) scripts/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help setup demo dev check test test-engines test-long bench bench-quick lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

setup: ## install and build everything that is not up to date
	$(BOOTSTRAP) setup

demo: ## start broker, gateway, Express API, workers, mail catcher and console (ENGINE=redis, ARGS="--no-open --port 8000 ...")
	$(BOOTSTRAP) demo $(if $(ENGINE),--engine '$(ENGINE)') $(ARGS)

dev: ## gateway and console, both started again when their sources change
	$(BOOTSTRAP) dev $(ARGS)

check: ## format, lint, types and import contracts
	$(BOOTSTRAP) check

test: ## check, then all tests: Python, TypeScript, browser; one summary line
	$(BOOTSTRAP) test $(ARGS)

test-engines: ## the contract and the crashes of every engine; a line for each (POSTROAD_KILL_ROUNDS=10)
	$(BOOTSTRAP) test-engines $(ARGS)

test-long: ## the tests that take minutes: long simulations, crash rounds, conformance
	$(BOOTSTRAP) test-long $(ARGS)

bench: ## Postroad beside its peers, which it installs; then docs/benchmarks.md
	$(BOOTSTRAP) bench $(ARGS)

bench-quick: ## Postroad alone, about a minute
	$(BOOTSTRAP) bench --quick $(ARGS)

lock: ## write requirements.lock and package-lock.json anew
	$(BOOTSTRAP) lock

clean: ## remove what setup made and what tests left; data/ stays
	@rm -rf .venv node_modules node-client/node_modules web/node_modules .build test-results \
	  node-client/dist web/demo/dist gateway/postroad/gateway/console_assets \
	  .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find broker gateway tests e2e scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +
