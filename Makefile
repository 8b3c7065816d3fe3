.DEFAULT_GOAL := help
PYTHON ?= python3.11
BIN := .venv/bin
CORES ?= 2

help:  ## explain the targets
	@echo "GRA_Net, reproduced. make TARGET, with TARGET one of:"; echo
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12 | sed 's/^/  /'
	@echo; echo "Real pictures go under data/ (see data/README.md); without them the study runs on synthetic faces."
	@echo "CORES=$(CORES) is how many runs go on side by side; make CORES=8 study uses eight."

env: .venv/ready  ## make the environment in .venv from requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make env: no '$(PYTHON)' on the path; expected Python 3.11 (or: make PYTHON=/path/to/python3.11 env)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

study: .venv/ready  ## run the whole study and write reports/index.html
	@$(BIN)/python -m snakemake --cores $(CORES) --quiet rules --nolock --rerun-incomplete
	@$(BIN)/gra report where

test: .venv/ready  ## run the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile

lab: .venv/ready  ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir notebooks

lock:  ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean:  ## remove what the study made here (records under reports/ stay)
	rm -rf build runs cache .snakemake

.PHONY: help env study test lab lock clean
