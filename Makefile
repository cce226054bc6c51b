# One word per wish. What a run makes lies in .venv and build, and nowhere else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint reformat bench fuzz differential cluster cluster-stop collection pins clean

PYTHON ?= python3
FUZZ_SECONDS ?= 60
IMAGE ?=

export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export FUZZ_SECONDS

installed := build/collections/ansible_collections/scap/images
link := build/dev/ansible_collections/scap/images
rooms := $(wildcard plugins roles playbooks meta extensions docs examples changelogs)
sources := $(shell find $(rooms) -name __pycache__ -prune -o -print) galaxy.yml README.md LICENSE requirements.txt bindep.txt

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: packages-demo .venv/.runtime build/collections/.made ## scan three images made here, or IMAGE=reference; the report is in build/demo
	@.venv/bin/python -m tests.data.demo $(IMAGE)

test: packages-test tools-test .venv/.test build/collections/.made ## everything: the linters and all tests
	@exec .venv/bin/python -m pytest

lint: packages-test .venv/.test build/collections/.made ## the linters alone
	@.venv/bin/python -m tests.lint.run

reformat: .venv/.test ## ruff's own corrections
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

bench: packages-test tools-test .venv/.test build/collections/.made $(link) ## the numbers, as a table and in build/bench.json
	@PYTHONPATH=build/dev .venv/bin/python -m tests.bench.run

fuzz: .venv/.test $(link) ## every fuzzer for FUZZ_SECONDS
	@set -e; for fuzzer in $$(find tests/fuzz -name 'fuzz_*.py' | sort); do \
	    echo "$$fuzzer"; PYTHONPATH=build/dev:. .venv/bin/python "$$fuzzer"; done

differential: packages-test tools-test .venv/.test build/collections/.made ## our answers against other tools', all of them
	@.venv/bin/python -m pytest tests/differential

cluster: packages-test .venv/.test $(link) ## start the one-node cluster; build/cluster/kubeconfig, build/cluster/registry
	@PYTHONPATH=build/dev:. .venv/bin/python tests/cluster/run.py start

cluster-stop: .venv/.test ## stop it
	@PYTHONPATH=build/dev:. .venv/bin/python tests/cluster/run.py stop

collection: .venv/.runtime build/collections/.made ## build and install the collection in build/collections

pins: .venv/.test ## write what is installed in .venv into requirements-test.txt
	@{ head -n 1 requirements-test.txt; .venv/bin/pip freeze | grep -viE '^(pip|setuptools)=='; } > build/pins
	@mv build/pins requirements-test.txt

clean: ## remove build and .venv
	@if [ -e build/cluster/kubeconfig ]; then $(MAKE) --no-print-directory cluster-stop; fi
	@rm -rf --one-file-system build .venv 2>/dev/null || podman unshare rm -rf --one-file-system build .venv

.PHONY: packages-demo packages-test tools-test
packages-demo packages-test: packages-%:
	@tests/setup/packages $*

# What the tests compare with and run against, kept outside of the tree: oscap 1.4 and kube-apiserver.
tools-test: packages-test
	@tests/setup/trixie >/dev/null
	@tests/setup/kubernetes >/dev/null

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ansible-core needs Python 3.11 or newer here: make PYTHON=...")'
	@$(PYTHON) -m venv .venv

.venv/.runtime: requirements.txt requirements-test.txt | .venv/bin/python
	@.venv/bin/python -m pip install -q -c requirements-test.txt -r requirements.txt ansible-core ansible-runner
	@touch $@

.venv/.test: requirements-test.txt .venv/.runtime
	@.venv/bin/python -m pip install -q -r requirements-test.txt
	@touch $@

$(link):
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR) $@

build/collections/.made: $(sources) | .venv/.runtime
	@mkdir -p $(dir $(installed)) && exec 9>build/lock && flock 9 && rm -rf build/galaxy && mkdir build/galaxy && \
	.venv/bin/ansible-galaxy collection build --output-path build/galaxy . >/dev/null && \
	ANSIBLE_COLLECTIONS_PATH=build/galaxy .venv/bin/ansible-galaxy collection install --offline --no-deps -p build/galaxy \
	    build/galaxy/*.tar.gz >/dev/null && \
	rm -rf $(installed) && mv build/galaxy/ansible_collections/scap/images $(installed) && touch $@
