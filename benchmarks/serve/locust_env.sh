#!/usr/bin/env bash
# Locust in a virtual environment of its own (default: .venv-locust in the repository).
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${1:-.venv-locust}"
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r benchmarks/serve/locust_requirements.txt
"$folder/bin/locust" --version
