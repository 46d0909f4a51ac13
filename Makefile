# Everything runs in .venv, which `make demo` and `make test` make when it is not there yet.
# Another interpreter: make test PYTHON=python3.12

.DEFAULT_GOAL := help
.PHONY: help demo train test test-slow test-nights test-trainers test-vllm test-ray test-s3 lint bench docs constraints clean

# The first of these that is 3.11 to 3.13 and can make environments. Looked for only when one is to be made.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c $(SUITABLE) 2>/dev/null && { echo "$$name"; break; }; done)
SUITABLE = 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

# Paths stay relative and programs are modules, so that the checkout may lie in a folder with spaces in its name.
RUN = .venv/bin/python -m
INSTALL = $(RUN) pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable
THOUGHTMILL = .venv/bin/thoughtmill

help:
	@echo 'make demo         make a dataset of 200 problems with 8 attempts each; needs no GPU and no key'
	@echo 'make train        train a tiny model on that dataset, with TRL; brings torch'
	@echo 'make test         the everyday tests'
	@echo 'make test-slow    the tests that take minutes, and property tests on more examples'
	@echo 'make test-trainers  real trainers and their loaders on what is exported; brings torch'
	@echo 'make test-nights  schedules on a real Prefect server, and batches of runs that are killed'
	@echo 'make test-vllm    a recipe on a real vLLM, built for machines without a GPU; brings torch'
	@echo 'make test-ray     shards on Ray'
	@echo 'make test-s3      facts and journal on a local S3 server'
	@echo 'make lint         ruff and pyright'
	@echo 'make bench        the benchmarks that are over in minutes'
	@echo 'make docs         write the generated parts of README.md and docs/ anew'
	@echo 'make constraints  resolve constraints.txt anew'
	@echo 'make clean        remove the environment and caches, and no data'

demo: .venv/.base
	@echo '$$ thoughtmill run cot-self-instruct'
	@$(THOUGHTMILL) run cot-self-instruct
	@echo
	@echo 'Next, see why each row is there:  $(THOUGHTMILL) browse cot-self-instruct'

train: .venv-trainers/.trl
	.venv-trainers/bin/python -m docs.train cot-self-instruct

NIGHTS = tests/flows/test_schedule.py tests/flows/test_batched.py

test: .venv/.dev
	$(RUN) pytest -m 'not slow'

test-slow: .venv/.dev
	HYPOTHESIS_PROFILE=thorough $(RUN) pytest -m 'slow or hypothesis' --timeout 1200 $(addprefix --ignore ,$(NIGHTS))

test-trainers: .venv-trainers/.made
	.venv-trainers/bin/python -m pytest -m slow -rs --timeout 600 tests/trainers tests/scoring

# What waits for clocks, and what needs an environment of its own.
test-nights: .venv/.dev
	$(RUN) pytest -n 0 -m slow --timeout 900 $(NIGHTS)

# Python writes down what it compiled even where the environment forbids it: vLLM imports thousands of modules.
test-vllm: .venv-vllm/.made
	PYTHONDONTWRITEBYTECODE= .venv-vllm/bin/python -m pytest -n 0 -m slow -rs --timeout 900 tests/with_vllm

test-ray: .venv-ray/.made
	.venv-ray/bin/python -m pytest -n 0 -m slow -rs --timeout 600 tests/with_ray

test-s3: .venv-s3/.made
	.venv-s3/bin/python -m pytest -n 0 -m slow -rs --timeout 600 tests/with_s3

lint: .venv/.dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) pyright

bench: .venv/.dev
	$(RUN) benchmarks.throughput cpu rate --rounds 1 --questions 1000

docs: .venv/.dev
	$(RUN) docs.generate

# Universal, so that one file serves every Python and platform we support. No addresses, and no torch: a resolver
# without the CPU build at hand takes gigabytes of CUDA.
constraints: .venv/.dev
	$(RUN) pip install --quiet --disable-pip-version-check uv
	$(RUN) uv pip compile --quiet --universal --upgrade --extra dev --no-emit-package torch \
		--no-emit-index-url --no-header --no-annotate --output-file constraints.txt pyproject.toml

clean:
	rm -rf .venv .venv-trainers .venv-vllm .venv-ray .venv-s3 .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: what is installed stays installed until pyproject.toml or constraints.txt change.
.venv/.base: .venv/.made pyproject.toml constraints.txt
	$(INSTALL) '.[math,browse]'
	@touch $@

.venv/.dev: .venv/.made pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	@touch .venv/.base $@

.venv/.made:
	@"$(PYTHON)" -c $(SUITABLE) 2>/dev/null || { \
		echo 'Thoughtmill needs Python 3.11, 3.12 or 3.13 with venv (make PYTHON=/path/to/python)' >&2; exit 2; }
	"$(PYTHON)" -m venv .venv
	@touch $@

# Torch first and alone: whatever is installed after it would choose the build of several gigabytes. One of the loaders
# brings a package `tests` that would hide ours.
TRAINERS_PIP = .venv-trainers/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
.venv-trainers/.trl: .venv/.made pyproject.toml tests/trainers/trl.txt
	.venv/bin/python -m venv --clear .venv-trainers
	$(TRAINERS_PIP) 'torch==2.13.0+cpu' || $(TRAINERS_PIP) torch
	$(TRAINERS_PIP) --requirement tests/trainers/trl.txt
	$(TRAINERS_PIP) --editable .
	@touch $@

.venv-trainers/.made: .venv-trainers/.trl tests/trainers/requirements.txt tests/trainers/loaders.txt
	$(TRAINERS_PIP) --requirement tests/trainers/requirements.txt
	$(TRAINERS_PIP) --no-deps --requirement tests/trainers/loaders.txt
	rm -rf .venv-trainers/lib/python3*/site-packages/tests
	@touch $@

# vLLM comes last and alone: it asks for torchvision, torchaudio and torchcodec, which a text model does not need.
VLLM_PIP = .venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check --no-compile
.venv-vllm/.made: .venv/.made pyproject.toml tests/with_vllm/requirements.txt tests/with_vllm/engine.txt
	.venv/bin/python -m venv --clear .venv-vllm
	$(VLLM_PIP) 'torch==2.13.0+cpu' || $(VLLM_PIP) torch==2.13.0
	$(VLLM_PIP) --requirement tests/with_vllm/requirements.txt
	$(VLLM_PIP) --editable .
	$(VLLM_PIP) --no-deps --requirement tests/with_vllm/engine.txt
	@touch $@

RAY_PIP = .venv-ray/bin/python -m pip install --quiet --disable-pip-version-check
.venv-ray/.made: .venv/.made pyproject.toml tests/with_ray/requirements.txt
	.venv/bin/python -m venv --clear .venv-ray
	$(RAY_PIP) --editable '.[math]' --requirement tests/with_ray/requirements.txt
	@touch $@

S3_PIP = .venv-s3/bin/python -m pip install --quiet --disable-pip-version-check
.venv-s3/.made: .venv/.made pyproject.toml tests/with_s3/requirements.txt
	.venv/bin/python -m venv --clear .venv-s3
	$(S3_PIP) --editable '.[store,math]' --requirement tests/with_s3/requirements.txt
	@touch $@
