"""How many rows can be scored in how much memory, and how soon is one? `python -m benchmarks.predict_stream.run`

A network of the standard settings is fitted to a small shop, its weights as they are drawn. Shops of 20,000 to
1,000,000 customers (or as many as the numbers after the command say), with three orders each, are then scored from
Parquet into Parquet as `nexusflow predict` does it, each in a process of its own: seconds, and the peak of memory
beside what the process held before it read a table. `single` is one customer and their orders, given as frames to a
loaded model, again and again. `threads` are PyTorch's; `load` is the machine's load at the end, and processor seconds
are those in which it was busy with this.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.predict_stream.shop import TARGET, save_shop, shop_frames, write_shop
from benchmarks.report import write_report
from nexusflow.models import load_model
from nexusflow.train.runtime import set_threads

CONFIG: dict[str, Any] = {
    "rows": [20_000, 200_000, 1_000_000],
    "orders_each": 3,
    "fitted_customers": 2_000,
    "seed": 0,
    "threads": 1,
    "single": {"warm_up": 20, "repeats": 300},
}


def streamed(folder: Path) -> dict[str, Any]:
    """Seconds and megabytes of scoring the shop in this folder into a file beside it."""
    set_threads(CONFIG["threads"])
    model = load_model(folder / "model.nxf")
    files = {name: folder / f"{name}.parquet" for name in ("customers", "orders")}
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, start, busy = _memory("VmRSS"), time.perf_counter(), time.process_time()
    problems = model.predict_to(folder / "predictions.parquet", files)
    seconds = time.perf_counter() - start
    rows = pq.ParquetFile(folder / "predictions.parquet").metadata.num_rows
    return {
        "rows": rows,
        "seconds": seconds,
        "processor_seconds": time.process_time() - busy,
        "rows_per_second": rows / seconds,
        "peak_megabytes": _memory("VmHWM"),
        "added_megabytes": _memory("VmHWM") - before,
        "predictions_megabytes": (folder / "predictions.parquet").stat().st_size / 1e6,
        "problems": len(problems),
        "load": os.getloadavg()[0],
    }


def single(folder: Path) -> dict[str, Any]:
    """Milliseconds of scoring one customer, each time another one."""
    set_threads(CONFIG["threads"])
    model, settings = load_model(folder / "model.nxf"), CONFIG["single"]
    frames = shop_frames(10**6, 500, CONFIG["orders_each"], CONFIG["seed"])
    customers, orders = frames["customers"].drop(columns=TARGET), frames["orders"]
    asked = []
    for number in range(settings["warm_up"] + settings["repeats"]):
        one = customers.iloc[[number % len(customers)]]
        asked.append(
            {"customers": one, "orders": orders[orders["customer_id"] == one["customer_id"].iloc[0]]}
        )
    wall, busy = [], []
    for tables in asked:
        start, began = time.perf_counter(), time.process_time()
        model.report(tables)
        wall.append(1e3 * (time.perf_counter() - start))
        busy.append(1e3 * (time.process_time() - began))
    kept = slice(settings["warm_up"], None)
    return {
        "milliseconds": _percentiles(wall[kept]),
        "processor_milliseconds": _percentiles(busy[kept]),
        "load": os.getloadavg()[0],
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{p}": float(np.percentile(values, p)) for p in (50, 95, 99)}


def _memory(field: str) -> float:
    """Megabytes by the kernel's count."""
    rows = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(row for row in rows if row.startswith(field)).split()[1]) / 1e3


def main(rows: list[int]) -> None:
    """Run, and write the report beside this file."""
    CONFIG["rows"] = rows or CONFIG["rows"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fitted = (CONFIG["fitted_customers"], CONFIG["orders_each"], CONFIG["seed"])
        weights = save_shop(folder / "model.nxf", *fitted)
        size = (folder / "model.nxf").stat().st_size
        results: dict[str, Any] = {"model": {"weights": weights, "bytes": size}}
        results["single"] = _apart("--single", folder)
        for count in CONFIG["rows"]:
            given = write_shop(folder, count, CONFIG["orders_each"], CONFIG["seed"])
            results[str(count)] = {"tables_megabytes": given / 1e6, **_apart("--case", folder)}
            # What was measured is kept where a larger shop is too much.
            write_report(Path(__file__).parent, CONFIG, results)


def _apart(what: str, folder: Path) -> dict[str, Any]:
    """What a process of its own finds."""
    command = [sys.executable, "-m", "benchmarks.predict_stream.run"]
    done = subprocess.run([*command, what, str(folder)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    print(what, found, flush=True)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] in (["--case"], ["--single"]):
        measure = streamed if sys.argv[1] == "--case" else single
        print(json.dumps(measure(Path(sys.argv[2]))))
    else:
        main([int(each) for each in sys.argv[1:]])
