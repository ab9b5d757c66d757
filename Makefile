# Everything runs inside .venv, which is made from constraints.txt and re-made only when that or pyproject.toml changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= demo
LAB_OUT ?= lab-run
LAB_MINUTES ?= 4.5
LAB_SEED ?= 1
# One more than there are processors: some tests wait for servers and real consoles.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 7) + 1)')
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadgroup --no-loadscope-reorder

.PHONY: help setup demo lab notebook test coverage lint docs bench clean
help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: $(STAMP)  ## create .venv with the pinned packages

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "brownout needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP)  ## simulate a small fleet, run the nightly flow on it, show where the report is
	$(BIN)/brownout demo --out $(OUT)

notebook: $(STAMP)  ## open the notebooks in JupyterLab, on the output folder OUT (the demo's, made where it is not there)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[jupyter]'
	test -e $(OUT)/report/report.json || $(BIN)/brownout demo --out $(OUT)
	BROWNOUT_OUT=$(abspath $(OUT)) $(BIN)/jupyter lab --notebook-dir notebooks

lab: $(STAMP)  ## as root: slow real consoles down on purpose for LAB_MINUTES, and say what was told of it (lab/README.md)
	$(BIN)/python -m lab --out $(LAB_OUT) --minutes $(LAB_MINUTES) --seed $(LAB_SEED)
	OMP_NUM_THREADS=1 $(BIN)/python -m lab.judge $(LAB_OUT)/dataset --out $(LAB_OUT)/judged

test: $(STAMP)  ## run the tests in PROCESSES processes, a file or a group that shares a fixture in each at a time
	$(PYTEST)

coverage: $(STAMP)  ## run the tests and say which lines none of them reaches
	$(PYTEST) --cov --cov-report term:skip-covered --cov-report xml

lint: $(STAMP)  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)  ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

bench: $(STAMP)  ## reading from InfluxDB beside its own clients; the other benchmarks stand in docs/benchmarks.md
	test -x .bench/bin/python || $(PYTHON) -m venv .bench
	.bench/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . -r benchmarks/influxdb/requirements.txt
	.bench/bin/python benchmarks/influxdb/run.py

clean:  ## remove what the targets above made
	rm -rf $(VENV) .bench $(OUT) $(LAB_OUT) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis site
