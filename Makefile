# make run     a demonstration server on 127.0.0.1:20025
# make test    every test, then every check
# make bench   measure this machine
# make check   ruff, mypy, generated files;  make generate  writes those files

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Setuptools warns of its own plans for compat at length.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check -qq
# twistd finds the plug-in of a checkout only by a plain path (compat).
INSTALL := $(PIP) install --config-settings editable_mode=compat --editable
SOURCES := smfd tests benchmarks twisted .ci/test
CTL := $(BIN)/smfdctl

.PHONY: venv run test check check-style check-types check-generated generate bench clean

venv: $(VENV)/ready

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "smfd needs Python 3.11 or later; say make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/packages python3-venv
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/ready: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing smfd into $(VENV)"
	@$(INSTALL) .
	@$(BIN)/python -c 'from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))'
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	@echo "installing what the tests need into $(VENV)"
	@$(INSTALL) '.[dev]'
	@touch $@

run: venv
	@test -e demo || $(CTL) init demo --demo --port-base 20000
	@$(CTL) --config demo/smfd.toml demo hints
	@exec $(BIN)/twistd -n --pidfile= smfd --config demo/smfd.toml

test: $(VENV)/ready-dev
	@.ci/packages clamav-daemon strace swaks msmtp nodejs node-nodemailer testssl.sh postfix dovecot-lmtpd redis-server opendkim unbound
	@$(BIN)/python .ci/test

check: check-style check-types check-generated

check-style: $(VENV)/ready-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

check-types: $(VENV)/ready-dev
	$(BIN)/mypy smfd tests

check-generated: venv
	@$(CTL) config sample | diff etc/smfd.toml - && $(CTL) config manual | \
	    diff docs/settings.md - || { echo "say make generate"; exit 1; }

generate: venv
	$(CTL) config sample >etc/smfd.toml
	$(CTL) config manual >docs/settings.md

bench: $(VENV)/ready-dev
	@.ci/packages clamav-daemon
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist *.egg-info _trial_temp* .hypothesis .mypy_cache .ruff_cache
