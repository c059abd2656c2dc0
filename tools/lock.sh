#!/usr/bin/env bash
# Resolve every dependency but torch into requirements.lock. Run by hand when pyproject.toml changes; needs uv.
set -euo pipefail
cd "$(dirname "$0")/.."
links=()
for place in ${PIP_FIND_LINKS:-}; do links+=(--find-links "$place"); done
uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
    --constraint <(echo "torch==2.13.0+cpu") "${links[@]}" \
    --no-emit-package torch --no-emit-package corrigible --no-header --no-annotate --quiet --output-file requirements.lock
