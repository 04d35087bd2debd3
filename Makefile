# make report: the pack of the shipped engagement   make test: what CI runs   make help: the rest

PYTHON ?= python3
ENGAGEMENT ?= data/complete_journey
READY := .venv/ready

.PHONY: report test proofs lab lint format clean help
.DEFAULT_GOAL := help

report: $(READY) ## Publish the quarterly pack of ENGAGEMENT (default: the shipped one)
	.venv/bin/kpi report $(ENGAGEMENT)

test: $(READY) lint ## Everything that must hold
	.venv/bin/python -m pytest -n auto

lint: $(READY)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

format: $(READY) ## Put code and notebooks into the house form
	.venv/bin/ruff check --fix --select I .
	.venv/bin/ruff format .
	.venv/bin/nbstripout --keep-id notebooks/*.ipynb

proofs: $(READY) ## Benchmarks and simulations, minutes long; prints the tables of the README
	.venv/bin/python -m tests.benchmarks
	.venv/bin/python -m tests.benchmarks.comparison
	.venv/bin/python -m tests.benchmarks.segments
	.venv/bin/python -m tests.benchmarks.whitespace
	.venv/bin/python -m tests.benchmarks.simulations

lab: $(READY) ## Open the notebooks in JupyterLab
	.venv/bin/jupyter lab --notebook-dir notebooks

clean: ## Remove the environment, kept positions and reports
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis data/*/.kpi reports/*/

help:
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --requirement requirements.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
