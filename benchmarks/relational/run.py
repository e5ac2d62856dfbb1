"""Datasets x methods x seeds, a process per cell, kept as they finish: `python -m benchmarks.relational.run`

Choices are made on validation rows; test rows are scored once. A run that was cut off goes on where it was. The report
is made of every finished cell of the asked seeds and settings, so that runs of parts add up to the whole.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.relational.cell import ROOT, Cell, code_fingerprint
from benchmarks.relational.datasets import DATASETS
from benchmarks.relational.given import ARCHITECTURE, Settings
from benchmarks.relational.methods import METHODS
from benchmarks.relational.summary import summarize, table
from benchmarks.report import spread, write_report
from nexusflow.config import TrainingConfig
from nexusflow.train import trees

HERE = Path(__file__).parent
JOBS = ROOT / ".nexusflow" / "relational"


class Suite:
    """The cells of a run and where they are kept."""

    def __init__(
        self, *, data: Path, jobs: Path, seeds: Sequence[int], settings: Settings, fresh: bool = False
    ) -> None:
        self.data, self.jobs, self.seeds, self.settings = data, jobs, list(seeds), settings
        self.fresh, self.code = fresh, code_fingerprint()
        self.prints: dict[str, str] = {}
        self.skipped: dict[str, str] = {}

    def cell(self, dataset: str, method: str, seed: int) -> Cell:
        """The cell of a dataset that is there."""
        if dataset not in self.prints:
            self.prints[dataset] = DATASETS[dataset].fingerprint(self.data)
        return Cell(
            dataset=dataset, method=method, seed=seed, settings=self.settings, data=self.prints[dataset]
        )

    def finished(self, cell: Cell) -> dict[str, Any] | None:
        """The outcome of a cell that was run before."""
        path = self.jobs / f"{cell.digest}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def cells(self, datasets: Sequence[str], methods: Sequence[str]) -> Iterator[Cell]:
        """What is asked for and can be run, seed by seed so that early tables have every method."""
        ready = [name for name in methods if not self._skips(name, METHODS[name].unavailable())]
        for dataset in datasets:
            if not self._skips(dataset, DATASETS[dataset].missing(self.data)):
                for seed in self.seeds:
                    yield from (self.cell(dataset, method, seed) for method in ready)

    def _skips(self, what: str, why: str | None) -> bool:
        if why:
            self.skipped[what] = why
        return why is not None

    def run(self, datasets: Sequence[str], methods: Sequence[str]) -> None:
        """Run every cell that is not finished; one that fails is skipped with its reason and tried again next time."""
        plan = list(self.cells(datasets, methods))
        for number, cell in enumerate(plan, start=1):
            said = f"[{number}/{len(plan)}] {cell.dataset} {cell.method} seed {cell.seed}"
            done = self.finished(cell)
            if done is not None and not (self.fresh and done["code"] != self.code):
                print(f"{said}: kept", flush=True)
                continue
            began = time.monotonic()
            why = self._work(cell)
            if why:
                self.skipped[f"{cell.dataset}, {cell.method}, seed {cell.seed}"] = why
            print(f"{said}: {why or 'done'} ({time.monotonic() - began:.0f} s)", flush=True)

    def _work(self, cell: Cell) -> str | None:
        """Run a cell in a process of its own; why it failed, or None."""
        self.jobs.mkdir(parents=True, exist_ok=True)
        log = self.jobs / f"{cell.digest}.log"
        command = [sys.executable, "-m", "benchmarks.relational.cell", json.dumps(cell.to_dict())]
        out = self.jobs / f"{cell.digest}.json"
        with log.open("w", encoding="utf-8") as stream:
            done = subprocess.run([*command, self.data, out], cwd=ROOT, stdout=stream, stderr=stream)
        if done.returncode == 0:
            return None
        lines = log.read_text(encoding="utf-8").strip().splitlines() or ["nothing was said"]
        return f"failed ({done.returncode}): {lines[-1]}; see {log.name} in the jobs folder"

    def report(self) -> dict[str, Any]:
        """What all finished cells of these seeds and settings say, datasets and methods in their order."""
        datasets, codes = {}, set()
        for name, dataset in DATASETS.items():
            if dataset.missing(self.data):
                continue
            found: dict[str, dict[int, Mapping[str, Any]]] = {}
            for method in METHODS:
                for seed in self.seeds:
                    done = self.finished(self.cell(name, method, seed))
                    if done is not None:
                        found.setdefault(method, {})[seed] = done
                        codes.add(done["code"])
            if found:
                datasets[name] = summarize(name, found)
                if dataset.ceiling and self.settings.max_rows is None:
                    datasets[name]["ceiling"] = spread([dataset.ceiling(seed) for seed in self.seeds])
        stale = sorted(codes - {self.code})
        if stale:
            print(f"Some cells were made by other code ({', '.join(stale)}); --fresh runs them again.")
        return {"code": self.code, "codes": sorted(codes), "datasets": datasets, "skipped": self.skipped}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--max-rows", type=int, help="at most so many examples of each dataset")
    parser.add_argument("--epochs", type=int, help="of every network; left out, the data tell")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NEXUSFLOW_DATA", "../shared/data")))
    parser.add_argument("--jobs-dir", type=Path, default=JOBS, help="where finished cells are kept")
    parser.add_argument(
        "--out", type=Path, help="where report and table go; default: here, slices to jobs-dir"
    )
    parser.add_argument("--fresh", action="store_true", help="run cells again that other code made")
    parser.add_argument("--list", action="store_true", help="name datasets and methods, and run nothing")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    """Run, and write config, report and table."""
    asked = arguments(given)
    if asked.list:
        print("\n".join(["datasets:", *DATASETS, "", "methods:", *METHODS]))
        return
    settings = Settings(max_rows=asked.max_rows, epochs=asked.epochs)
    suite = Suite(
        data=asked.data.resolve(),
        jobs=asked.jobs_dir.resolve(),
        seeds=range(asked.seeds),
        settings=settings,
        fresh=asked.fresh,
    )
    suite.run(asked.datasets, asked.methods)
    report = suite.report()
    config = {
        "seeds": suite.seeds,
        "settings": asdict(settings),
        "architecture": ARCHITECTURE.model_dump(mode="json"),
        "training": TrainingConfig().model_dump(mode="json"),
        "boosting": trees.SETTINGS,
        "datasets": {name: {"files": fingerprint} for name, fingerprint in suite.prints.items()},
    }
    whole = settings == Settings()
    out = asked.out or (HERE if whole else suite.jobs)
    write_report(out, config, report)
    (out / "table.md").write_text(table(report), encoding="utf-8")
    print(f"\n{table(report)}\n{out / 'report.json'}")


if __name__ == "__main__":
    main()
