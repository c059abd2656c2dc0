# make demo   install what the demos need, run both on real data
# make test   install what the tests need, run them
# make check  install the development tools, static checks: format, lint, types, imports, size
# make slow   the slow tests: kills at random times, statistics
# make bench  measure every figure in the documents again (hours)
# make lowest the lowest versions that pyproject.toml allows, in a venv of its own; with uv. Else WITH=python3.13 or
#             VERSIONS=highest; on Linux UV_TORCH_BACKEND=cpu saves 3 GB
# make docs   write docs/methods.md and the tables in the documents again
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN = .venv/bin
WITH ?= $(PYTHON)
VERSIONS ?= lowest-direct
TRIED ?= tests/test_quickstart.py tests/test_cli.py tests/laws tests/protocols tests/workflow tests/plots

.PHONY: install demo test check slow bench lowest docs

install:
	@$(PYTHON) tools/install.py dev

demo:
	@$(PYTHON) tools/install.py demo
	@$(RUN)/corrigible demo digits demo-studies/digits
	@$(RUN)/corrigible demo insurance demo-studies/insurance
	@echo "Reports: demo-studies/digits/report.html demo-studies/insurance/report.html"
	@echo "Look at items, mark and correct: $(RUN)/corrigible review demo-studies/digits"

test:
	@$(PYTHON) tools/install.py test
	@PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(RUN)/python -m pytest -n 2 --dist worksteal

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

# Old releases warn about the new ones of what they need; and jaxtyping 0.2 cannot check these tests.
lowest: install
	@$(RUN)/uv venv --quiet --clear --python $(WITH) .lowest
	@$(RUN)/uv pip install --quiet --python .lowest/bin/python --resolution $(VERSIONS) \
		--only-binary :all: --no-binary corrigible ".[parquet,trees,test]"
	@OMP_NUM_THREADS=1 .lowest/bin/python -m pytest -n 2 -o addopts= -q -m "not slow and not browser" \
		-W ignore::DeprecationWarning $(TRIED)

docs: install
	@$(RUN)/python tools/documents.py
