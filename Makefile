.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c "" 2>/dev/null && { echo $$p; break; }; done)
CORES ?= 2
BIN ?= .venv/bin
ENV ?= .venv/ready
LOCK = $(if $(filter jax,$(BACKEND)),build/jax.lock,requirements.lock)
SNAKEMAKE = snakemake $(if $(PROFILE),--profile $(PROFILE),--cores $(CORES)) --quiet host progress reason rules --nolock \
	--rerun-incomplete --keep-going
LAB = --ContentsManager.pre_save_hook=gralib.notebooks.without_outputs \
	--ServerApp.tornado_settings="{'websocket_max_message_size': 537919488}"
export PATH := $(abspath $(BIN)):$(PATH)

help:  ## explain the targets
	@echo "GRA_Net, reproduced. make TARGET, with TARGET one of:"; echo
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14 | sed 's/^/  /'
	@echo; echo "Real pictures go under data/ (see data/README.md); without them the study runs on synthetic faces."
	@echo "CORES=$(CORES): runs side by side; 'make study CORES=8' has eight. SETTINGS='preset=laptop seed=1' changes the study."
	@echo "PROFILE=profiles/slurm: every step a job of the cluster this is called on, instead of CORES processes here."

env: .venv/ready  ## make the environment in .venv from requirements.lock (BACKEND=jax: without TensorFlow)

build/jax.lock: requirements.lock
	@mkdir -p build && awk '/^[a-z]/ {skip = /^tensorflow/} !skip' $< > $@

.venv/ready: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)))' || \
		{ echo "make env: expected Python 3.11, 3.12 or 3.13, got '$(PYTHON)'; name one with make PYTHON=/path/to/python3.11 env"; exit 1; }
	@echo "Making the environment in .venv (a download of about 1 GB the first time)"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(LOCK)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

study: $(ENV)  ## run the study and build the book of it (minutes on synthetic faces)
	@gra doctor --quick
	@$(SNAKEMAKE) $(if $(SETTINGS),--config $(SETTINGS))
	@$(MAKE) --no-print-directory book

grids: $(ENV)  ## run the experiments on UTKFace: gates, attention, noise, depth, earlier methods (hours; stop it any time)
	@$(SNAKEMAKE) grids $(if $(SETTINGS),--config $(SETTINGS))
	@$(MAKE) --no-print-directory book

book: $(ENV)  ## build the book from all records, committed ones and those made here (half a minute)
	@gra report
	@rm -rf build/book build/doctrees
	@python -m sphinx -q -W --keep-going -b html -c book -d build/doctrees build/report build/book
	@echo "The book: build/book/index.html (open it in a browser)"

release: book  ## pack book, tables, records, lock and list of parts into one archive for a repository of data
	@python -m gralib.report.release

wheel: $(ENV)  ## pack the library as a wheel into build/dist, the same bytes whoever does it
	@rm -rf build/lib build/bdist.* && SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) python -m pip wheel --quiet \
		--disable-pip-version-check --no-deps --no-build-isolation --no-index -w build/dist .

test: $(ENV)  ## check style and types, run the tests
	ruff check .
	ruff format --check .
	@$(MAKE) --no-print-directory -j2 types suite

types: $(ENV)
	mypy
	lint-imports

suite: $(ENV)
	python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder

golden: $(ENV)  ## write the numbers that tests compare with anew, and show what changed
	@python tests/golden.py

test-cluster: $(ENV)  ## run the study on a Slurm started here, kill a job and a node of it (needs root, slurm-wlm and munge)
	@python tests/cluster/run.py

bench: $(ENV)  ## measure speed beside what people would use instead (an hour and a half; keep the machine quiet)
	@test -d build/bench || python -m pip install --quiet --disable-pip-version-check --no-deps --target build/bench \
		-r benchmarks/requirements.txt
	@python benchmarks/run.py $(if $(ROOT),--root $(ROOT))

scaling: $(ENV)  ## measure several devices in one training, and what the whole study would cost
	@python benchmarks/scaling.py

reliability: $(ENV)  ## kill it, fill the disk, feed it broken files, run it twice (ten hours; stop it any time)
	@python benchmarks/reliability/run.py

mutants: $(ENV)  ## make one thing wrong at a time and see whether a test notices (two hours on two cores)
	@python benchmarks/reliability/run.py mutants

lab: $(ENV)  ## open JupyterLab on the notebooks, the first of them in front
	jupyter lab --notebook-dir notebooks --LabApp.default_url=/lab/tree/start.ipynb $(LAB)

play: $(ENV)  ## open the page to play with: a face, its masks, a slider for every gate (this machine alone)
	@python -m gralib.visitors.playserver

lock:  ## write requirements.lock anew from pyproject.toml (needs uv); one version of each package for every Python
	uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --extra dev --extra export --extra faces --extra play \
		--extra book --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.lock pyproject.toml

clean:  ## remove what the study made here, trained weights included (reports/ stays)
	rm -rf build runs cache data/synthetic .snakemake

.PHONY: help env study grids book release wheel test types suite golden test-cluster bench scaling reliability mutants lab play lock clean
