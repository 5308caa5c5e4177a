# Everything happens in .venv; a fresh machine needs Python 3.11+ and make. uv is used if it is there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)
FUZZ ?= 10000
CHAOS_RUNS ?= 20
CHAOS_KILLS ?= 100
CHAOS_SEED ?= 1
# Thousands of small tests: compiled once, and written to memory where there is a file system in it.
unexport PYTHONDONTWRITEBYTECODE
IN_MEMORY := $(if $(wildcard /dev/shm),TMPDIR=/dev/shm)

.PHONY: help demo learn test quick check fuzz chaos format lock clean

help:
	@echo "make demo    all of sectune on a tiny model, in a few minutes"
	@echo "make test    every test (make quick: those that take seconds)"
	@echo "make check   all that CI runs: format, lint, types, contracts, sizes, tests, wheel"
	@echo "make learn   a small model trained from scratch goes through the whole chain and is held to its aims"
	@echo "make chaos   daemon and trainer killed at random, CHAOS_RUNS=20 CHAOS_KILLS=100 CHAOS_SEED=1"
	@echo "make fuzz    mutated reports against the parsers (FUZZ=10000 inputs)"
	@echo "make format  put the code into its format"
	@echo "make lock    write requirements.lock again (needs uv)"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "sectune needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 2; }
ifeq ($(UV),)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
else
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --requirement requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
endif
	@touch $@

demo: $(READY)
	$(BIN)/sectune demo

learn: $(READY)
	$(BIN)/python -m benchmarks.learn

# The slow tests start daemons and trainings: two at a time, a file each, whatever the machine has.
test: quick
	$(BIN)/python -m pytest -m "slow or property" --hypothesis-profile=thorough -n 2 --dist loadfile

quick: $(READY)
	$(IN_MEMORY) $(BIN)/python -m pytest -m "not slow" -n auto

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/house.py
	$(MAKE) test
	sh tests/wheel.sh $(BIN)/python

fuzz: $(READY)
	PYTHONPATH=. $(BIN)/python tests/fuzz_findings.py --inputs $(FUZZ)

chaos: $(READY)
	$(BIN)/python tests/chaos --runs $(CHAOS_RUNS) --kills $(CHAOS_KILLS) --seed $(CHAOS_SEED)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --no-annotate --no-header --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
