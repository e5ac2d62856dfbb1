PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: setup setup-app app test unit browser lint typecheck check bench docs

setup-app: $(VENV)/.app
setup: $(VENV)/.dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    (echo "NexusFlow needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1)
	$(PYTHON) -m venv $(VENV) || (echo "python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1)

$(VENV)/.app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $(VENV)/.app $@

app: setup-app
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

test: lint typecheck unit browser

unit: setup
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not browser"

browser: setup
	NEXUSFLOW_CHROMIUM="$$(scripts/browser.sh)" $(BIN)/python -m pytest -q -n 2 --dist worksteal -m browser

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: setup
	$(BIN)/mypy

check: test

bench: setup
	$(BIN)/python -m benchmarks.index_speed.run
	$(BIN)/python -m benchmarks.inference.run
	$(BIN)/python -m benchmarks.load.run
	$(BIN)/python -m benchmarks.churn.run
	benchmarks/relational/dfs_env.sh
	$(BIN)/python -m benchmarks.relational.run
	$(BIN)/python -m benchmarks.table

docs: setup
	$(BIN)/mkdocs build --strict
