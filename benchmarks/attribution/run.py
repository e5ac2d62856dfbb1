"""How long do integrated gradients of many rows take? `python -m benchmarks.attribution.run`

A network trained for a few epochs on the churn sample, of which 500 test rows are attributed on two threads, from each
baseline: seconds on the clock and of the processor (the imports are not in them), and how much of the output the scores
leave unexplained.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import write_report
from nexusflow.artifact import TrainedModel, load_model
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.explain.attribution import SMALL_GAP, integrated_gradients
from nexusflow.explain.baseline import Baseline
from nexusflow.services.attributing import MOST_OF_MANY
from nexusflow.services.project_run import read_project, train_project
from nexusflow.services.run_reader import run_reader

CONFIG: dict[str, Any] = {
    "network": "configs/churn.yaml",
    "settings": [
        "training.epochs=4",
        "training.batch_size=128",
        "training.refit=false",
        "training.baselines=false",
        "training.distillation=0",
        "training.device=cpu",
    ],
    "rows": 500,
    "threads": 2,
    "most_gradients": MOST_OF_MANY,
    "baselines": [str(baseline) for baseline in Baseline],
    "seed": 0,
}
ROOT = Path(__file__).parents[2]


def trained(folder: Path) -> tuple[TrainedModel, Reader]:
    """The network, opened as Interpret opens it, with the tables that it was taught on."""
    project = read_project(ROOT / CONFIG["network"], CONFIG["settings"])
    found = train_project(project, folder)
    assert found.model is not None
    model = load_model(found.model)
    return model, run_reader(model, project.tables)


def measured(model: TrainedModel, reader: Reader, baseline: Baseline) -> dict[str, Any]:
    """Seconds, gradients and gaps of one attribution of all the rows."""
    test = reader.examples.part(Part.TEST).row_N
    chosen = np.sort(np.random.default_rng(CONFIG["seed"]).choice(test, CONFIG["rows"], replace=False))
    load, clock, processor = os.getloadavg()[0], time.perf_counter(), time.process_time()
    found = integrated_gradients(model, reader, chosen, baseline=baseline, most=CONFIG["most_gradients"])
    seconds, cpu = time.perf_counter() - clock, time.process_time() - processor
    gap = np.asarray(found.relative_gap)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "load_before": load,
        "most_gradients_of_a_row": found.steps,
        "gap_median": float(np.median(gap)),
        "gap_95th": float(np.quantile(gap, 0.95)),
        "rows_above_1_percent": int((gap > SMALL_GAP).sum()),
    }


def main() -> None:
    """Run, and write the report beside this file."""
    torch.set_num_threads(CONFIG["threads"])
    with tempfile.TemporaryDirectory() as folder:
        model, reader = trained(Path(folder))
        torch.set_num_threads(CONFIG["threads"])
        weights = sum(weight.numel() for weight in model.model.parameters())
        integrated_gradients(model, reader, np.arange(4), most=CONFIG["most_gradients"])
        found = {name: measured(model, reader, Baseline(name)) for name in CONFIG["baselines"]}
    write_report(Path(__file__).parent, CONFIG, {"parameters": weights, "from": found})


if __name__ == "__main__":
    main()
