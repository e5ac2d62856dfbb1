"""How fast are tables loaded, profiled and checked, and in how much memory? `python -m benchmarks.load.run`

A generated CSV of each size is read as the app reads it, then every column is profiled, keys are proposed and the
schema is checked, in a process of its own.
Files from 200 MB on are spooled to Parquet on disk and profiled there by DuckDB; the largest one stands for those
of several GB, scaled to what two cores do in minutes.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report import write_report
from nexusflow.data.checks import find_problems
from nexusflow.data.infer import propose
from nexusflow.data.load import LARGE, read_source
from nexusflow.data.profile import profile
from nexusflow.data.stored import StoredTable
from nexusflow.data.tables import TableSet

CONFIG = {"rows": [1_000_000, 10_000_000, 15_000_000], "columns": 8, "seed": 0, "block": 250_000}
ROOT = Path(__file__).parents[2]


def write_csv(path: Path, rows: int, seed: int) -> None:
    """Orders: two keys, one with leading zeros, numbers with gaps, a time, a date, a category and a text."""
    rng = np.random.default_rng(seed)
    words = np.array(
        ["late", "fragile, keep upright", 'a "gift"', "call first", "two\nlines", "nothing to say"]
    )
    for start in range(0, rows, CONFIG["block"]):
        n = min(CONFIG["block"], rows - start)
        seconds = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**8, n), "s")
        frame = pd.DataFrame(
            {
                "order_id": np.arange(start, start + n),
                "customer": np.char.zfill(rng.integers(0, 10**6, n).astype(str), 8),
                "amount": np.exp(rng.normal(3, 1, n)).round(2),
                "discount": np.where(rng.random(n) < 0.7, np.nan, rng.random(n).round(3)),
                "placed": seconds,
                "due": (seconds.normalize() + pd.to_timedelta(rng.integers(1, 30, n), "D")).strftime(
                    "%Y-%m-%d"
                ),
                "channel": rng.choice(["web", "shop", "phone"], n, p=[0.7, 0.2, 0.1]),
                "note": rng.choice(words, n),
            }
        )
        frame.to_csv(path, mode="a", header=start == 0, index=False)


def measure(path: Path) -> dict[str, object]:
    """Load, profile and check one file in this process."""
    before = _peak()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        start = time.perf_counter()
        source = read_source(path.name, path, folder=Path(folder))
        loaded = time.perf_counter()
        (table,) = source.tables
        told = profile(table)
        profiled, peak = time.perf_counter(), _peak()
        tables = TableSet(tables={table.name: table})
        schema = propose(tables).schema
        proposed = time.perf_counter()
        find_problems(tables, schema)
        done = time.perf_counter()
        stored = isinstance(table, StoredTable)
        return {
            "rows": len(table),
            "csv_megabytes": round(path.stat().st_size / 2**20),
            "way": "spooled to disk" if stored else "in memory",
            "parquet_megabytes": round(table.bytes / 2**20) if isinstance(table, StoredTable) else None,
            "load_seconds": round(loaded - start, 2),
            "profile_seconds": round(profiled - loaded, 2),
            "propose_seconds": round(proposed - profiled, 2),
            "check_seconds": round(done - proposed, 2),
            "peak_megabytes": peak,
            "peak_with_checks_megabytes": _peak(),
            "peak_before_megabytes": before,
            "kinds": dict(zip(told["column"], told["kind"], strict=True)),
        }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Run, and write the report beside this file."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in CONFIG["rows"]:
            path = Path(folder) / "orders.csv"
            path.unlink(missing_ok=True)
            write_csv(path, rows, CONFIG["seed"])
            command = [sys.executable, "-m", "benchmarks.load.run", str(path)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            assert found["rows"] == rows
            results.append(found)
            print(json.dumps(found))
    load = [round(x, 2) for x in os.getloadavg()]
    write_report(
        Path(__file__).parent,
        CONFIG,
        {"spooled_from_bytes": LARGE, "load_average_at_the_end": load, "files": results},
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        main()
