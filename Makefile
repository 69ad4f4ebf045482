# Every target makes its own virtual environment in .venv when there is none: `make demo` works in a fresh clone.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
CPU_INDEX := https://download.pytorch.org/whl/cpu
CHECKED := retriever cli $(wildcard data_scripts benchmarks)

.PHONY: demo demo-full test lint bench clean
.DELETE_ON_ERROR:

demo: $(INSTALLED)
	$(BIN)/python data_scripts/demo.py

demo-full: $(INSTALLED)
	$(BIN)/python data_scripts/demo.py --full

# Two worker processes, one thread each: more would only get in each other's way on two cores.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CHECKED)

# One after the other, so that none measures the load of another.
bench: $(INSTALLED)
	@set -e; for script in $(sort $(wildcard benchmarks/*.py)); do \
	    case $$script in */_*|*_quality.py) continue;; esac; \
	    echo "== $$script" >&2; $(BIN)/python $$script --quick; \
	done

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find $(CHECKED) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Without an NVIDIA GPU the CPU build of torch (0.2 GB) is enough; the ordinary one brings several GB of CUDA libraries.
# Where no CPU build can be had, the last install takes the ordinary one.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
	    { echo "error: $(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into .venv: a few minutes the first time" >&2
	@if ! nvidia-smi -L >/dev/null 2>&1; then \
	    $(BIN)/pip install --quiet "torch==$(TORCH)+cpu" -c constraints.txt 2>/dev/null || \
	    $(BIN)/pip install --quiet "torch==$(TORCH)+cpu" -c constraints.txt --extra-index-url $(CPU_INDEX) 2>/dev/null || \
	    echo "no CPU build of torch $(TORCH) found: installing the ordinary one" >&2; \
	fi
	$(BIN)/pip install --quiet --editable '.[dev]' -c constraints.txt
	@touch $@
