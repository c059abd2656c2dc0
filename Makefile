# make demo   install, run both demos on real data
# make test   install, run the tests
# make check  install, static checks: format, lint, types, imports, size
# make slow   the slow tests: kills at random times, statistics
# make bench  measure every figure in the README again (hours)
# make docs   write docs/methods.md and the README's tables again
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN = .venv/bin

.PHONY: install demo test check slow bench docs

install:
	@$(PYTHON) tools/install.py

demo: install
	@$(RUN)/corrigible demo digits demo-studies/digits
	@$(RUN)/corrigible demo insurance demo-studies/insurance
	@echo "Reports: demo-studies/digits/report.html demo-studies/insurance/report.html"

test: install
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n 2

check: install
	@$(RUN)/ruff format --check src tests tools benchmarks examples
	@$(RUN)/ruff check src tests tools benchmarks examples
	@$(RUN)/mypy
	@$(RUN)/lint-imports
	@$(RUN)/python tools/size.py
	@$(RUN)/python tools/documents.py --check

slow:
	@$(PYTHON) tools/install.py bench
	@$(RUN)/python -m pytest -m "slow or browser"

bench:
	@$(PYTHON) tools/install.py bench
	@$(RUN)/python benchmarks/run_all.py

docs: install
	@$(RUN)/python tools/documents.py
