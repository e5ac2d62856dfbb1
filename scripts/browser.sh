#!/usr/bin/env bash
# Print the path of a Chromium to test with; install one where there is none.
set -euo pipefail

find_browser() {
    if [ -n "${NEXUSFLOW_CHROMIUM:-}" ]; then
        echo "$NEXUSFLOW_CHROMIUM"
        return
    fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$name" >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    python=${PYTHON:-.venv/bin/python}
    "$python" - <<'PY' 2>/dev/null || true
from pathlib import Path
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
    if Path(path).exists():
        print(path)
PY
}

install_browser() {
    if command -v apt-get >/dev/null 2>&1; then
        sudo=""
        if [ "$(id -u)" -ne 0 ]; then
            sudo="sudo -n"
        fi
        $sudo apt-get update -qq && $sudo apt-get install -y -qq chromium && return
    fi
    "${PYTHON:-.venv/bin/python}" -m playwright install chromium
}

path=$(find_browser)
if [ -z "$path" ]; then
    install_browser >&2
    path=$(find_browser)
fi
if [ -z "$path" ]; then
    echo "No Chromium was found and none could be installed. Install one, or set NEXUSFLOW_CHROMIUM to its path." >&2
    exit 1
fi
echo "$path"
