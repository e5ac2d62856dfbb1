"""How fast and how right is inference? `python -m benchmarks.inference.run [FOLDER]`

Seconds and peak memory on tables of 1,000,000 rows and on 100 tables of 30 columns, each in a process of its own;
true and false foreign keys on the samples, and on the databases in FOLDER (rel-f1, sf-food) where it is given, as
they are and under other naming conventions.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.inference.databases import (
    LONG_KEYS,
    RENAMINGS,
    known_databases,
    long_tables,
    renamed,
    table_set,
    wide_tables,
)
from benchmarks.report import spread, write_report
from nexusflow.data.checks import check_schema
from nexusflow.data.infer import propose
from nexusflow.data.relations import relatable, relate
from nexusflow.data.schema import ForeignKey
from nexusflow.data.tables import TableSet

CONFIG: dict[str, Any] = {
    "long": {"rows": 1_000_000, "seed": 0},
    "wide": {"tables": 100, "columns": 30, "rows": 1_000, "seed": 0},
    "repeats": 5,
}


def timed(case: str) -> dict[str, Any]:
    """Seconds of inference, of all relations' figures and of all checks; the memory that inference adds, in MB.

    `infer_processor` are the seconds that the processor was busy with it, whatever else the machine did; `load` is the
    machine's load at the end.
    """
    frames, truth = (
        wide_tables(**CONFIG["wide"]) if case == "wide" else (long_tables(**CONFIG["long"]), LONG_KEYS)
    )
    tables = table_set(frames)
    _reset_peak()
    before = _memory("VmRSS")
    seconds: dict[str, list[float]] = {"infer": [], "infer_processor": [], "relations": [], "checks": []}
    for _ in range(CONFIG["repeats"]):
        start, busy = time.perf_counter(), time.process_time()
        schema = propose(tables).schema
        seconds["infer"].append(time.perf_counter() - start)
        seconds["infer_processor"].append(time.process_time() - busy)
        if len(seconds["infer"]) == 1:
            added = _memory("VmHWM") - before
        start = time.perf_counter()
        stats = {key: relate(tables, key) for key in relatable(tables, schema)}
        seconds["relations"].append(time.perf_counter() - start)
        start = time.perf_counter()
        check_schema(tables, schema, stats=stats)
        seconds["checks"].append(time.perf_counter() - start)
    found = {str(key) for key in schema.foreign_keys}
    return {
        "rows": sum(len(table) for table in tables.values()),
        "load": os.getloadavg()[0],
        "columns": sum(table.frame.shape[1] for table in tables.values()),
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "tables_megabytes": sum(int(t.frame.memory_usage(deep=True).sum()) for t in tables.values()) / 1e6,
        "added_megabytes": added,
        "true": len(truth),
        "found": len(truth & found),
        "false": sorted(found - truth),
    }


def judged(tables: TableSet, truth: frozenset[ForeignKey]) -> dict[str, Any]:
    """How many true foreign keys are proposed, and which others."""
    found = set(propose(tables).schema.foreign_keys)
    return {
        "true": len(truth),
        "found": len(truth & found),
        "missed": sorted(map(str, truth - found)),
        "false": sorted(map(str, found - truth)),
        "false_share": len(found - truth) / max(len(found), 1),
    }


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _memory(field: str) -> float:
    """Megabytes by the kernel's count; the whole peak where it keeps no such count."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    line = next(row for row in status.read_text(encoding="ascii").splitlines() if row.startswith(field))
    return int(line.split()[1]) / 1e3


def main(folder: Path | None) -> None:
    """Run, and write the report beside this file."""
    results: dict[str, Any] = {}
    for case in ("long", "wide"):
        command = [sys.executable, "-m", "benchmarks.inference.run", "--case", case]
        results[case] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, tables, truth in known_databases(folder):
        results[name] = {"as it is": judged(tables, truth)}
        for renaming in RENAMINGS:
            results[name][renaming] = judged(*renamed(tables, truth, renaming))
    write_report(Path(__file__).parent, CONFIG, results)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(timed(sys.argv[2])))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
