#!/usr/bin/env bash
# Featuretools in a virtual environment of its own (default: .venv-dfs in the repository): it needs pandas below 3.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${1:-.venv-dfs}"
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r benchmarks/relational/dfs_requirements.txt
"$folder/bin/python" -c 'import featuretools; print("featuretools", featuretools.__version__)'
