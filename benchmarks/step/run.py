"""How many rows a second does a step of the training learn from? `python -m benchmarks.step.run`

On the churn sample, 256 rows a step, one thread, by processor time: the loop as it is, the loop of the first version
whose workbench trained (checked out beside this one), and a GraphSAGE in a bare loop of PyTorch on the same context.
Each way has a process of its own, and they take turns, so that what else the machine does meets all of them alike.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import spread, write_report

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
FIRST = "c290ef1"
CONFIG: dict[str, Any] = {
    "first_version": FIRST,
    "project": "configs/churn.yaml",
    "ways": ["first", "loop", "loop-bf16", "sage-64", "sage-128"],
    "steps": 8,
    "repeats": 7,
}


class Way:
    """A process that trains in one way and is asked for so many steps at a time."""

    def __init__(self, name: str, root: Path) -> None:
        way = "loop" if name == "first" else name
        # So much a checkout of another version has of its own; what it imports besides is installed.
        command = [sys.executable, str(HERE / "worker.py"), str(root), str(root / CONFIG["project"]), way]
        self.process = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def steps(self, count: int) -> dict[str, float]:
        """What so many steps took."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    def end(self) -> None:
        """No more is asked."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def first_version(folder: Path) -> Path:
    """The first version, checked out into the folder."""
    archive = subprocess.run(["git", "archive", FIRST], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def rates(ways: list[str], first: Path, *, steps: int, repeats: int) -> dict[str, list[float]]:
    """Rows per second of processor time, of each way, in turns."""
    running = {name: Way(name, first if name == "first" else ROOT) for name in ways}
    found: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for _ in range(repeats):
            for name, way in running.items():
                took = way.steps(steps)
                found[name].append(took["rows"] / took["cpu_seconds"])
    finally:
        for way in running.values():
            way.end()
    return found


def padding() -> dict[str, float]:
    """The share of slots that are empty, and the rows that are encoded for one slot that is filled."""
    import numpy as np

    from benchmarks.step.worker import BATCH, project, read

    reader, _ = read(*project(ROOT / CONFIG["project"]))
    batch = reader.batch(np.flatnonzero(reader.examples.part_N == "train")[:BATCH])
    filled = int((batch.slot_BTS >= 0).sum())
    rows = sum(table.rows for table in batch.tables.values())
    return {"empty_slots": 1 - filled / batch.slot_BTS.numel(), "rows_encoded_per_filled_slot": rows / filled}


def main() -> None:
    """Run, and write the report beside this file."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--repeats", type=int, default=CONFIG["repeats"])
    config = {**CONFIG, "repeats": asked.parse_args().repeats}
    with tempfile.TemporaryDirectory() as folder:
        first = first_version(Path(folder))
        found = rates(config["ways"], first, steps=config["steps"], repeats=config["repeats"])
    # Ways took turns: what disturbed one repeat disturbed all of them.
    ratios = {
        name: spread([ours / theirs for ours, theirs in zip(found["loop"], values, strict=True)])
        for name, values in found.items()
        if name != "loop"
    }
    results = {
        "rows_per_cpu_second": {name: spread(values) for name, values in found.items()},
        "loop_against": ratios,
        "padding": padding(),
        "torch_compile": "not measured: its first steps were not compiled after 170 seconds on two busy cores",
    }
    print(write_report(HERE, config, results))


if __name__ == "__main__":
    main()
