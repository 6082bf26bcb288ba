# Each target does all its set-up itself; it needs Python 3.11 to 3.13 and nothing else.

SUITABLE := import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c '$(SUITABLE)' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SEARCH ?= 1000000
# one more than the processors, since a third of the tests' time is waiting for processes that they have killed; each has servers of its own
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(1 + min(3, os.cpu_count() or 1))')

# (amazon_kclpy would fetch 33 MB of jars, for a daemon that deploy/kcl takes the place of: it is told to fetch nothing)
# Tests start hundreds of processes: one that must compile all it imports takes 5 s of CPU to start, instead of 1.5
unexport PYTHONDONTWRITEBYTECODE

PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.PHONY: docs demo test test-slow test-ci test-all kcl kcl-where-possible deployment check format bench cores scale model search soak lock settings metrics cost commands gate dashboards image sbom release clean

demo: $(READY)
	$(BIN)/tablesplit demo

# What anyone runs: about three minutes on two cores after the set-up. The last line names what this machine could not run.
test: $(READY)
	$(PYTEST) -m "not slow and not deployment"

# What `make test` leaves out: the other 60,000 interleavings, containers, every kill test, the kcl engine, Terraform, models
test-slow: $(READY) kcl-where-possible
	$(PYTEST) -m "slow or deployment"

# Of these, what CI has time for beside `make test`
test-ci: $(READY)
	$(PYTEST) -m slow tests/two_way tests/convergence tests/container/test_image.py tests/terraform/test_module.py

test-all: test test-slow docs

# The daemon of the kcl engine, in Java: needs Maven and a JDK 17. Its own tests run with it.
KCL_JAR := deploy/kcl/target/streams-multilang-daemon.jar
kcl: $(KCL_JAR)

$(KCL_JAR): deploy/kcl/pom.xml deploy/kcl/jars.sha256 $(shell find deploy/kcl/src -type f)
	mvn --quiet --batch-mode --file deploy/kcl/pom.xml --strict-checksums clean package
	sh deploy/kcl/check_jars.sh deploy/kcl/target/lib || { rm $(KCL_JAR); exit 1; }

kcl-where-possible:
	@if command -v mvn >/dev/null && command -v javac >/dev/null; then $(MAKE) --no-print-directory kcl; fi

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What several processes make of the work of one: the measured tables of docs/SCALE.md, five minutes. Needs Java and Maven.
cores: $(READY) kcl
	$(BIN)/python -m bench.cores

# docs/BENCH.md and README.md's ratios, twenty minutes. Some parts, printed and kept: make bench PARTS="client lag"; then the page: PARTS=page
bench: $(READY)
	$(BIN)/python -m bench $(PARTS)

# deploy/terraform applied on moto, and its permissions held to the calls of a whole migration, and of the kcl engine: five minutes
deployment: $(READY) kcl-where-possible
	$(BIN)/pytest -m deployment tests/terraform

# A billion items and 500 shards, simulated with the costs in docs/BENCH.md: docs/SCALE.md's tables and charts, ten minutes
scale: $(READY)
	$(BIN)/python -m bench.scale

# Every TLA+ model and mutant of docs/model, or some: make model MODEL="Enter Move-to-the-log". Needs Java and Maven.
model: $(READY)
	$(BIN)/python -m docs.model.check $(MODEL)

# As many random interleavings as one likes: make search SEARCH=5000000
search: $(READY)
	SEARCH=$(SEARCH) $(BIN)/python -m pytest -n 2 tests/convergence/test_random.py tests/two_way/test_random.py tests/two_way/test_histories.py

# Real processes under kills, pauses, faults of the server and cutovers there and back, on DynamoDB Local; hours.
# make soak SOAK="--kills 50 --pauses 20 --faults 20 --cycles 1"
soak: $(READY)
	$(BIN)/python -m bench.soak $(SOAK)

LOCK := $(BIN)/uv pip compile --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

# Everything for the developers; then for the image what it needs at run time, what builds it, and what the kcl image adds, at the same versions.
lock: $(READY)
	$(LOCK) pyproject.toml --output-file requirements.lock --all-extras --universal --python-version 3.11
	$(LOCK) pyproject.toml --extra otel --output-file deploy/image.lock --python-version 3.12 --python-platform linux --constraint requirements.lock
	printf 'hatchling\nhatch-vcs\n' | $(LOCK) - --output-file deploy/build.lock --python-version 3.12 --python-platform linux --constraint requirements.lock
	printf 'amazon-kclpy\n' | $(LOCK) - --output-file deploy/kcl.lock --no-deps --python-version 3.12 --python-platform linux --constraint requirements.lock

# the dashboards' JSON, from deploy/grafana
dashboards: $(READY)
	$(BIN)/python -m deploy.grafana.build

# The tables that are made from the code: docs/settings.md, docs/METRICS.md, docs/commands.md, and cost, inputs and outputs of deploy/terraform
settings metrics cost commands gate: $(READY)
	$(BIN)/python -m tests.documents.made_tables

# The documentation as a site, build/site. Look at it with: python3 -m http.server --directory build/site
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

BASE ?= python:3.12-slim

# The image of this work tree (tablesplit:local), and dist/sbom.cdx.json, which says what is in it
image sbom: $(READY)
	$(BIN)/python -m deploy.release $@ --base $(BASE)

# dist/, from the tagged commit: docs/RELEASING.md. It publishes nothing.
release: $(READY)
	$(BIN)/python -m deploy.release all --base $(BASE)

clean:
	rm -rf $(VENV) build dist

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tablesplit needs Python 3.11, 3.12 or 3.13 with its venv module: install one, or say make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	KCL_MVN_REPO_SEARCH_URL=data:, $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@
