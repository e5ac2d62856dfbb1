"""Train on a generated database of any size: `python -m benchmarks.scale.train [--rows 10000000] [--minutes 7]`

A shop of so many orders is written, a hundredth as many customers with it, and `nexusflow train` learns which of them
will order nothing in the 30 days after they are asked about, under a time limit. Its memory is watched, and it
is stopped where it passes the limit. The report, in `trained/`, says the seconds of everything together, the most
memory, and how well the network does on test rows beside its baselines.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import write_report
from benchmarks.scale.database import TABLES, schema
from benchmarks.scale.run import shop
from nexusflow.config import DatasetConfig, ForeignKeyConfig, RunConfig, TargetConfig, TrainingConfig

CONFIG: dict[str, Any] = {"rows": 10_000_000, "minutes": 7.0, "megabytes": 4000, "every_seconds": 0.05}
OUT = Path(__file__).parent / "trained"


def configuration(minutes: float, tables: Path) -> RunConfig:
    """The standard settings under a time limit; kinds of columns are found in their values."""
    meaning = schema()
    datasets = [
        DatasetConfig(
            name=name,
            path=str(tables / f"{name}.parquet"),
            primary_key=meaning[name].primary_key,
            time_column=meaning[name].time_column,
            foreign_keys=tuple(
                ForeignKeyConfig(
                    columns=key.child_columns,
                    references_table=key.parent_table,
                    references_columns=key.parent_columns,
                )
                for key in meaning.foreign_keys
                if key.child_table == name
            ),
        )
        for name in TABLES
    ]
    return RunConfig(
        project_name="scale",
        target=TargetConfig(target_table="customers", target_column="left", cutoff_column="asked_on"),
        datasets=tuple(datasets),
        training=TrainingConfig(max_minutes=minutes),
    )


def watched(command: Sequence[str], megabytes: float, every: float) -> tuple[str, dict[str, Any]]:
    """What a process prints, its seconds, and its peak of memory; it is ended where it takes more than it may."""
    start, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        process = subprocess.Popen(command, stdout=printed)
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            peak = max(peak, _peak(status))
            if peak > megabytes:
                process.kill()
                process.wait()
                raise SystemExit(f"The training took more than {megabytes:,.0f} MB of memory and was ended.")
            time.sleep(every)
        if process.returncode:
            raise SystemExit(f"The training ended with {process.returncode}.")
        printed.seek(0)
        found = {"seconds": time.perf_counter() - start, "peak_megabytes": peak, "load": os.getloadavg()[0]}
        return printed.read(), found


def _peak(status: Path) -> float:
    """The most memory of a process since it began, as the kernel keeps it; 0 where it is gone."""
    try:
        rows = status.read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(row.split()[1]) / 1e3 for row in rows if row.startswith("VmHWM")), 0.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Generate, train, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=CONFIG["rows"], help="how many orders")
    parser.add_argument("--minutes", type=float, default=CONFIG["minutes"], help="the limit of the training")
    parser.add_argument(
        "--megabytes", type=float, default=CONFIG["megabytes"], help="the limit of its memory"
    )
    parser.add_argument("--data", type=Path, help="where the shop is kept; by default it is thrown away")
    parser.add_argument("--out", type=Path, default=OUT, help="where the report goes")
    given = parser.parse_args(arguments)
    config = {**CONFIG, "rows": given.rows, "minutes": given.minutes, "megabytes": given.megabytes}
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        tables = shop((given.data or Path(scratch)).resolve(), given.rows)
        generated = time.perf_counter() - start
        project = Path(scratch) / "config.yaml"
        project.write_text(configuration(given.minutes, tables).to_yaml(), encoding="utf-8")
        command = [sys.executable, "-m", "nexusflow", "train", "--config", str(project), "--json"]
        printed, found = watched(
            [*command, "--out", str(Path(scratch) / "models")], given.megabytes, CONFIG["every_seconds"]
        )
        # What lay in a folder that is gone says nothing.
        facts = {n: fact for n, fact in json.loads(printed).items() if n not in ("folder", "model")}
    results = {
        "generating_seconds": generated,
        "whole_seconds": time.perf_counter() - start,
        **found,
        "run": facts,
    }
    print(json.dumps(results, indent=1))
    print(write_report(given.out, config, results))


if __name__ == "__main__":
    main()
