# Hexakota. `make demo` runs the main job and serves it; `make test` passes the tests. Both make .venv themselves.
PYTHON ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV ?= $(shell command -v uv || echo $(BIN)/uv)
EXTRAS := qgis python3-qgis qgis-providers gdal-bin chromium postgresql postgresql-postgis

.PHONY: help python install demo lint test test-system bench docs lock clean

help:  ## say what the targets do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

python:  ## print the Python that .venv is made with
	@PYTHON='$(PYTHON)' sh .ci/find-python

install: $(VENV)/.installed  ## make .venv with the hexakota command

# The lock is complete, so pip need not resolve: `pip check` proves it. Wheels only: nothing is compiled here.
$(VENV)/.locked: requirements.lock .ci/find-python
	@python="$$(PYTHON='$(PYTHON)' sh .ci/find-python)" && echo "making $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)
	$(PIP) install --no-input --require-hashes --no-deps --only-binary :all: -r requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(PIP) install --no-input --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@touch $@

demo: install  ## make, run and serve the sample city (HEXAKOTA_PORT=5000, ARGS=--no-serve)
	$(BIN)/hexakota demo $(ARGS)

lint: install  ## check style, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, then run the tests (ARGS goes to pytest)
	$(BIN)/python -m pytest -q $(ARGS)

# What some tests need beyond Python; without it they skip and say so.
test-system:  ## install the system packages that some tests use (Debian, Ubuntu)
	@command -v apt-get >/dev/null 2>&1 || { echo "test-system: no apt-get here; install by hand: $(EXTRAS)" >&2; exit 1; }
	@if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as="sudo -n"; else \
	  echo "test-system: needs root, or sudo without a password, to install: $(EXTRAS)" >&2; exit 1; fi; \
	apt="$$as env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"; \
	$$apt update && $$apt install -y --no-install-recommends $(EXTRAS) >/dev/null || \
	  { echo "test-system: apt-get could not install: $(EXTRAS)" >&2; exit 1; }

bench: install  ## score the sample city's zones against its planted truth
	$(BIN)/python -W ignore benchmarks/sample_skill.py $(ARGS)

docs: install  ## write the tables and pictures of docs/ that the program itself makes
	$(BIN)/python docs/generate.py

# Hashes, no index lines; keeps the versions that are locked unless ARGS=--upgrade.
lock:  ## write requirements.lock for every Python from 3.12 on (with uv)
	$(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --no-annotate --extra dev $(ARGS) pyproject.toml -o requirements.lock

clean:  ## remove the environment, the sample city and what was built
	rm -rf $(VENV) demo build dist *.egg-info
