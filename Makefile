# make run, make test: each sets up its own virtual environment first; quick the second time
PYTHON ?= python3
ARGS ?= model=gated_memn2n task=babi_all
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: run quick test bench leaderboard clean

# with make run, the release of bAbI is fetched if no copy of it is found
run: $(STAMP)
	$(BIN)/python run.py task.download=true $(ARGS)

# what to run before every commit: no tests that train or start processes
quick: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy zoo tasks
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# file by file, in a process more than there are cores, for many tests wait for others, but in four at most: each
	@# loads torch, and compiles for itself. Types are checked beside them
	$(BIN)/mypy zoo tasks & types=$$!; \
	  $(BIN)/python -m pytest -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --maxprocesses 4 \
	  --dist loadfile --no-loadscope-reorder; tests=$$?; wait $$types && exit $$tests

# how fast everything is, on an idle machine: an hour and a half
bench: $(STAMP)
	$(BIN)/python -m benchmarks.throughput
	$(BIN)/python -m benchmarks.kernels --protocol
	$(BIN)/python -m benchmarks.spread
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.claims
	$(BIN)/python -m benchmarks.engines

leaderboard: $(STAMP)
	$(BIN)/python -m zoo leaderboard

clean:
	rm -rf .venv

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Memory Zoo needs Python 3.11 or newer: make PYTHON=python3.11"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)
