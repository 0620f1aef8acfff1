# `make catalog` and `make test` work in a fresh clone; both without a C compiler too.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py catalog/__init__.py $(wildcard catalog/*/*.[ch] catalog/*/*/*.[ch])

HASHING := catalog/launch/hashing
COVERED := abi endorse firmware launch imports evidence  # rooms whose own tests run every line of them
PYTEST := $(BIN)/pytest --numprocesses auto --dist worksteal

unexport PYTHONDONTWRITEBYTECODE  # else each of a thousand processes of the tests compiles what it loads

.NOTPARALLEL:  # what installs would get in each other's way
.PHONY: catalog help help-pages man test test-real check sanitize fuzz faults firmware wild bench mutants lock sbom wheels release clean

catalog: $(VENV)/.installed  ## build the default catalog and print a lookup to try
	@echo 'compiling modules, so that no lookup has to'
	@$(BIN)/python -m compileall -q catalog ldcat
	$(BIN)/ldcat build

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; do \
		printf '%-10s %s\n' "$$target" "$$text"; done

test: $(VENV)/.installed-test check  ## every test that needs nothing but this clone
	@$(BIN)/python -m compileall -q catalog ldcat tools  # before processes count the calls that they make
	$(PYTEST) $(COVERED:%=tests/%) $(COVERED:%=--cov=catalog/%) --cov-report=
	$(BIN)/coverage report --fail-under=100 --show-missing --skip-covered
	$(PYTEST) $(COVERED:%=--ignore=tests/%) --hypothesis-profile=half  # without coverage, which costs half as much again

test-real: $(VENV)/.installed-test  ## tests on real images and vectors; LDCAT_SHARED names their folder
	$(PYTEST) --real tests/real

check: $(VENV)/.installed-test  ## style, types, the order of the rooms, and the length of functions and files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.limits

sanitize: build/fuzz_hashing build/fuzz_leaves build/fuzz_packed_rows build/fuzz_rows build/fuzz_finds build/fuzz_new_files  ## compiled code under the address and undefined-behaviour sanitizers
	build/fuzz_hashing
	build/fuzz_leaves
	build/fuzz_packed_rows
	build/fuzz_rows
	build/fuzz_finds
	build/fuzz_new_files

SANITIZED := -std=c11 -g -O1 -Wall -Wextra -Werror -Wno-psabi -fsanitize=address,undefined -fno-sanitize-recover=all

build/fuzz_hashing: tests/launch/fuzz_hashing.c $(wildcard catalog/abi/*.h $(HASHING)/*.[ch])
	mkdir -p build
	$(CC) $(SANITIZED) -I $(HASHING) -o $@ $< $(wildcard $(HASHING)/*.c)

build/fuzz_leaves: tests/log/fuzz_leaves.c $(wildcard catalog/log/leaves/*.[ch])
	mkdir -p build
	$(CC) $(SANITIZED) -o $@ $<

build/fuzz_packed_rows: tests/log/fuzz_packed_rows.c $(wildcard catalog/log/leaves/*.[ch])
	mkdir -p build
	$(CC) $(SANITIZED) -o $@ $<

build/fuzz_rows: tests/store/fuzz_rows.c catalog/store/rows.c
	mkdir -p build
	$(CC) $(SANITIZED) -o $@ $<

build/fuzz_new_files: tests/files/fuzz_new_files.c $(wildcard catalog/files/*.[ch])
	mkdir -p build
	$(CC) $(SANITIZED) -o $@ $<

build/fuzz_finds: tests/fast/fuzz_finds.c $(wildcard catalog/abi/*.h catalog/fast/compiled/*.[ch])
	mkdir -p build
	$(CC) $(SANITIZED) -D_GNU_SOURCE -o $@ $<

EXECUTIONS ?=

fuzz: $(VENV)/.installed-fuzz  ## fuzz every parser of input with atheris for some seconds each, or until EXECUTIONS
	$(BIN)/python -m tests.fuzz.fuzz_inputs --seconds 2 $(if $(EXECUTIONS),--executions $(EXECUTIONS))

FAULTS ?= 400
SEED ?= 1
SECONDS ?=

faults: $(VENV)/.installed-test  ## inject faults of the disk into every command that writes: FAULTS in all, by SEED, or a sample in SECONDS
	if command -v $(CC) >/dev/null; then $(MAKE) build/faults.so; fi
	$(BIN)/python -m tools.faults --faults $(FAULTS) --seed $(SEED) $(if $(SECONDS),--seconds $(SECONDS))

build/faults.so: $(wildcard tools/faults/*.[ch])
	mkdir -p build
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $(filter %.c,$^)

firmware: $(VENV)/.installed  ## fetch the published images with apt, and compare them with the records
	$(BIN)/python -m tools.debian_firmware

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make lock'

wild: $(VENV)/.installed  ## look up the public digests of LDCAT_SHARED in the default catalog, by platform
	$(BIN)/python -m tools.wild

lock: $(VENV)/.installed-release  ## update the versions and hashes of the packages in the service's image
	$(LOCK) --upgrade --extra serve --output-file docs/deploy/requirements.txt pyproject.toml
	echo 'setuptools>=77' | cat - docs/deploy/requirements.txt | grep -E '^(setuptools|cffi)' | sed 's/ .*//' | \
		$(LOCK) --upgrade --output-file docs/deploy/requirements-build.txt -

sbom: $(VENV)/.installed-release  ## write the software bill of materials of the service's image, as CycloneDX
	mkdir -p dist
	$(BIN)/python -m tools.sbom dist/ldcat.cdx.json

help-pages: $(VENV)/.installed  ## write the help of all commands to the file that --help prints
	$(BIN)/python -m tools.help_pages

man: $(VENV)/.installed  ## write the man pages of all commands to man/
	$(BIN)/python -m tools.man_pages man

wheels: $(VENV)/.installed-release  ## write sdist and wheels (Linux, x86-64 and aarch64) to build/wheels, and try one in a clean environment
	$(BIN)/python -m tools.wheels build/wheels

release: $(VENV)/.installed-release  ## write all files of a release to dist/; refused unless everything is filled in and committed
	$(BIN)/python -m tools.release dist

mutants: $(VENV)/.installed-test  ## every small change of the code that verifies has to fail a test: all, or a sample by SEED in SECONDS
	$(BIN)/python -m tools.mutants $(if $(SECONDS),--sample $(SEED) --seconds $(SECONDS))

ROWS ?= 10_000_000
BASE ?=
ONLY ?=

bench: $(VENV)/.installed-bench  ## measure, and write docs/benchmarks.md, or print the sections ONLY; or compare HEAD with the commit BASE; ROWS of the large catalog
	$(BIN)/python -m tools.bench$(if $(BASE),.base --base $(BASE)) $(if $(ONLY),--only $(ONLY)) --rows $(ROWS)

clean:  ## remove everything that was built, the virtual environment too
	rm -rf $(VENV) build dist man *.egg-info catalog/*/_*.so catalog/*/*/_*.so

INSTALL ?= $(BIN)/pip install --quiet --disable-pip-version-check

$(VENV)/bin/python:
	@echo 'installing ldcat in a new environment, $(VENV)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/bin/uv: | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.9'  # it takes a tenth of the time of pip

$(VENV)/.installed: $(SOURCES) | $(VENV)/bin/python
	@echo 'installing ldcat and the packages that it needs in $(VENV): about a minute'
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed | $(VENV)/bin/uv
	@echo 'installing the packages that the tests need in $(VENV): some seconds'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --extra test --requirements pyproject.toml
	touch $@

$(VENV)/.installed-release: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[release]'
	touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

$(VENV)/.installed-fuzz: $(VENV)/.installed-test
	$(BIN)/uv pip install --quiet --python $(BIN)/python --extra fuzz --requirements pyproject.toml
	touch $@
