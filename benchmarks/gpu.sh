#!/bin/sh
# Measures training on a CUDA machine and writes benchmarks/gpu/report.json; without a card it says so and ends with 2.
# With --device cpu it runs everything at small sizes on a processor and writes nowhere but to the screen.
set -eu
cd "$(dirname "$0")/.."
exec "${PYTHON:-python}" -m benchmarks.gpu.run "$@"
