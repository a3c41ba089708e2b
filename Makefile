# Everything that needs an environment makes it first; a stamp remembers what was installed.
# Needed on the machine: Python >= 3.11 and make.
#
#   make demo       the whole road offline: rehearsal hospitals, sync, settle, derive, report
#   make test       house rules, types, unit and property tests, both databases
#   make test-hard  kills, fault matrix, seeded schedules
#   make soak       the same kills 2,500 times for each backend, and 3,000 schedules more (hours; KILLS=..., SCHEDULES=...)
#   make test-real  the main job against an R4 server by other hands, in an environment of its own
#   make fuzz       100,000 mutated resources through the mapper (FUZZ=number, FUZZ_SEED=seed)
#   make bench      measurements, printed as a table
#   make peers      the programs that `make bench` compares with, each in an environment of its own
#   make fixtures   make the fixtures and their golden results anew
#   make docs       make the pages anew that are made from code
#   make lock       make requirements/*.lock anew

PYTHON ?= python3
VENV ?= .venv
VENV_REAL ?= .venv-real
VENV_PEERS ?= .venv-peers
WORKERS ?= 2
ARGS ?=

# What a machine says about index, proxy and certificates is honoured; what would change which packages are
# installed, or where, is not.
unexport PIP_FIND_LINKS PIP_NO_INDEX PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_CONSTRAINT PIP_BUILD_CONSTRAINT \
	PIP_REQUIREMENT PIP_NO_DEPS PIP_NO_BINARY PIP_ONLY_BINARY PIP_PRE PIP_UPGRADE PIP_EDITABLE PIP_REQUIRE_HASHES \
	PIP_NO_BUILD_ISOLATION PIP_REQUIRE_VIRTUALENV PIP_DRY_RUN PIP_IGNORE_INSTALLED PIP_FORCE_REINSTALL PIP_REPORT
unexport PYTHONPATH PYTHONHOME

SHELL := /bin/sh
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input
# A lock names everything: nothing is left to resolve. (pip that resolves meets `coverage[toml]` with an unlocked
# newer `coverage` the day one appears, and refuses the whole lock.) `pip check` proves that nothing is missing.
INSTALL_LOCKED = install --quiet --require-hashes --no-build-isolation --no-deps
INSTALL_PROJECT = $(PIP) install --quiet --no-deps --no-build-isolation --editable .
PYTEST = $(BIN)/python -m pytest
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# $(call tier,NAME,PYTEST ARGUMENTS): pytest's exit code 5 (nothing collected) fails in CI and is said elsewhere.
define tier
@code=0; $(PYTEST) $(2) $(ARGS) || code=$$?; \
if [ $$code -eq 5 ]; then \
	echo "make $(1): NO TEST WAS COLLECTED in this tier"; \
	if [ "$$CI" = "true" ]; then echo "make $(1): that is a failure in CI"; else code=0; fi; \
fi; exit $$code
endef

.DELETE_ON_ERROR:
.PHONY: help demo test test-hard test-real soak fuzz bench peers docs fixtures lock lint types install install-test

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is " + sys.version + "; say make PYTHON=...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.made requirements/runtime.lock requirements/build.lock pyproject.toml
	@echo "installing what the adapter needs (requirements/runtime.lock)"
	@$(PIP) $(INSTALL_LOCKED) -r requirements/build.lock
	@$(PIP) $(INSTALL_LOCKED) -r requirements/runtime.lock
	@$(INSTALL_PROJECT)
	@$(PIP) check --quiet
	@touch $@

$(VENV)/.test: $(VENV)/.made requirements/test.lock requirements/build.lock pyproject.toml
	@echo "installing what the tests need (requirements/test.lock)"
	@$(PIP) $(INSTALL_LOCKED) -r requirements/build.lock
	@$(PIP) $(INSTALL_LOCKED) -r requirements/test.lock
	@$(INSTALL_PROJECT)
	@$(PIP) check --quiet
	@touch $@

$(VENV)/.lock: $(VENV)/.made
	@$(PIP) install --quiet 'uv>=0.5'
	@touch $@

$(VENV_REAL)/.made: requirements/real.lock
	@echo "installing the server by other hands (requirements/real.lock)"
	@test -x $(VENV_REAL)/bin/python || $(PYTHON) -m venv $(VENV_REAL)
	@$(VENV_REAL)/bin/python -m pip --disable-pip-version-check --no-input $(INSTALL_LOCKED) -r requirements/real.lock
	@$(VENV_REAL)/bin/python -m pip --disable-pip-version-check check --quiet
	@touch $@

install: $(VENV)/.runtime
install-test: $(VENV)/.test

demo: $(VENV)/.runtime
	@$(BIN)/fhir-adapter demo $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

test: lint types
	$(call tier,test,-n $(WORKERS) -m "not hard and not real")

test-hard: $(VENV)/.test
	$(call tier,test-hard,-n $(WORKERS) --dist worksteal -m hard)

# The seeds of `test-hard` are 0 to 300.
soak: export KILLS ?= 2500
soak: export SCHEDULES ?= 1000-4000
soak: $(VENV)/.test
	$(call tier,soak,-m hard tests/promises/test_killed.py tests/schedules/test_schedules.py)

# REAL_SERVER_BIN tells the tests where the foreign server's command stands.
test-real: export REAL_SERVER_BIN := $(abspath $(VENV_REAL))/bin
test-real: $(VENV)/.test $(VENV_REAL)/.made
	$(call tier,test-real,-m real)

fuzz: export FUZZ ?= 100000
fuzz: $(VENV)/.test
	$(call tier,fuzz,tests/domains/test_fuzz.py)

bench: $(VENV)/.test
	@PEERS=$(VENV_PEERS) $(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.test
	$(BIN)/python -m tests.house.docs

# Named by version alone: whoever wants the comparison fetches them; nothing else here depends on them.
peers:
	@for peer in $$(grep -v '^#' requirements/peers.in); do \
		place=$(VENV_PEERS)/$${peer%%=*}; \
		test -x $$place/bin/python || $(PYTHON) -m venv $$place; \
		$$place/bin/python -m pip --disable-pip-version-check --no-input install --quiet $$peer || exit 1; \
	done

fixtures: $(VENV)/.test
	$(BIN)/python -m fixtures.generate $(ARGS)

# Versions move only where a bound asks for it; `make lock ARGS=--upgrade` takes the newest of everything.
# runtime first: the others are held to its versions, so that they can share one environment.
lock: $(VENV)/.lock
	$(COMPILE) $(ARGS) pyproject.toml -o requirements/runtime.lock
	$(COMPILE) $(ARGS) -c requirements/runtime.lock --group pyproject.toml:build -o requirements/build.lock
	$(COMPILE) $(ARGS) -c requirements/runtime.lock -c requirements/build.lock pyproject.toml --group pyproject.toml:test -o requirements/test.lock
	$(COMPILE) $(ARGS) requirements/real.in -o requirements/real.lock
